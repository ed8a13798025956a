/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  The connections of a session, kept per user mapping.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONNECTION_H
#define OPPORTUNITY_CONNECTION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "http.h"
#include "stats.h"

/* What is known of the API behind a base URL: see api_health.c. */
typedef enum ApiHealth
{
	API_HEALTH_UNKNOWN,
	API_HEALTH_GOOD,
	API_HEALTH_BAD
} ApiHealth;

/* What a session keeps for one user mapping. */
typedef struct Connection
{
	MemoryContext context; /* that it lives in */
	HttpPool	 *pool;
	SessionStats *stats;
	ApiHealth	  health;
	int	  ids_at_once; /* that a query takes; 0: not known to be limited */
	int	  page_size;   /* the largest that it takes; 0: any */
	List *refusals;	   /* texts that tell what else it does not take */
} Connection;

extern Connection *connection_acquire(Oid umid, Oid serverid);
extern void connection_note_refusal(Connection *connection, const char *what);

#endif /* OPPORTUNITY_CONNECTION_H */
