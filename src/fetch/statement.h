/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  State that the scans of one running statement share, and the records that
 *	  a session keeps across statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_STATEMENT_H
#define OPPORTUNITY_STATEMENT_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"
#include "utils/uuid.h"

#include "api/api.h"
#include "api/record.h"

/* Records of one type, for one user mapping, as they are now. */
typedef struct SessionScope
{
	Oid	   umid;
	int32  type; /* number of the record type */
	uint64 generation;
} SessionScope;

/* A running statement.  It lives as long as its executor state. */
typedef struct Statement
{
	HttpWatch			  watch; /* first: send_notice casts its address */
	dlist_node			  node;
	MemoryContextCallback callback;
	MemoryContext		  context;
	EState				 *estate;
	int64 rows_wanted;	 /* number of rows that the executor has run for so far,
					   * or PG_INT64_MAX */
	bool  may_run_again; /* the executor, for further rows */
	int64 request_total;
	int64 record_total;		   /* number of records received */
	List *sources;			   /* RecordSources */
	struct KeyStore *store;	   /* see key_cache.c; NULL: no record cached yet */
	Bitmapset *lookup_scans;   /* range table indexes of the scans whose records
							  * lookups prefetch */
	List	  *async_requests; /* pending: see exec/scan.c */
	int64	   started;		   /* time of http_now */
	int64	   noticed_at;	   /* time of the last NOTICE */
	int64	   noticed_records;
	List *warned_columns; /* columns that have warned of an invalid value; the
							  * callers define its elements */
} Statement;

/*
 * The records of one type, as one user mapping may read them.  Each scan adds
 * the attributes that it wants at its start, before the first record is read.
 */
typedef struct RecordSource
{
	Statement	 *statement;
	Api			 *api;
	AttributeSet *wanted;
	int *pending; /* requests of the user mapping that are sent but not read */
	SessionScope session; /* made before any record is requested */
} RecordSource;

/* Numbers of records that a reader needs, so that it requests few others. */
typedef struct RowsWanted
{
	int64 least;  /* certainly read, or PG_INT64_MAX: all; may grow */
	int64 enough; /* suffice, unless the query drops some; 0: unknown */
} RowsWanted;

/*
 * Returns the number of requests ahead that may turn out useless, because the
 * reader may stop.  used: the number of requests that it has used, with the
 * current one.  It is a quarter of these, but one from the second request on.
 */
static inline int64
statement_read_ahead(int64 used)
{
	return used > 1 ? Max(used / 4, 1) : 0;
}

extern void			 statement_initialize(void);
extern Statement	*statement_of(EState *estate);
extern int64		 statement_rows_wanted(const Statement *statement, int rows,
										   bool is_by_run);
extern void			 statement_note_run(EState *estate, uint64 count,
										bool may_run_again);
extern void			 statement_note_lookup(Statement *statement, Index scan);
extern RecordSource *statement_source(EState *estate, const Settings *settings,
									  Oid userid);
extern bool			 statement_is_busy(const RecordSource *source,
									   const Settings	  *settings);
extern HttpBudget	 statement_budget(Statement *statement, int max_requests);

/* session_cache.c */
extern SessionScope session_cache_scope(Oid umid, const char *record_type);
extern bool session_cache_find(SessionScope scope, const pg_uuid_t *id, int ttl,
							   const char **text, int *length);
extern void session_cache_keep(SessionScope scope, const pg_uuid_t *id,
							   const char *text, int length);

#endif /* OPPORTUNITY_STATEMENT_H */
