// SPDX-License-Identifier: PostgreSQL
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/**
 * Reads over JDBC, for bench/clients. Its argument is the URL of the database. Each line of
 * its input is a fetchSize and a query. Prints the number of rows after it has read them.
 * With fetchSize 0, the driver reads all rows before the first one is returned.
 */
class clients_jdbc {
    public static void main(String[] arguments) throws Exception {
        Connection connection = DriverManager.getConnection(arguments[0]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));

        for (String line; (line = input.readLine()) != null;) {
            String[] parts = line.split(" ", 2);
            int size = Integer.parseInt(parts[0]);
            int count = 0;

            connection.setAutoCommit(size == 0);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(size);
                ResultSet rows = statement.executeQuery(parts[1]);
                while (rows.next())
                    count++;
            }
            if (size > 0)
                connection.commit();
            System.out.println(count);
        }
    }
}
