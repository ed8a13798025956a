/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan_progress.c
 *	  How far the running scans of all sessions are, from PostgreSQL 17 on.
 *
 * A segment of shared memory has room for some scans.  A place belongs to the
 * session whose process it names; only that one writes there, so that whoever
 * reads needs no more than that places do not change hands.  Whether a process
 * still runs is read from its PGPROC, so that no other lock is taken while that
 * of the segment is held.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "scan_progress.h"
#include "subtransaction.h"
#include "version.h"

/* Sessions with different versions of the library do not share it. */
#define SEGMENT_NAME "opportunity_fdw progress " OPPORTUNITY_FDW_VERSION

/* A session may have several scans at once; one that finds no place is not shown. */
#define PLACES_PER_BACKEND 4

#define PROGRESS_COLUMNS 10

struct ScanProgress
{
	pg_atomic_uint32 pid;  /* 0: free */
	int				 proc; /* its place in ProcGlobal->allProcs */
	Oid				 database;
	Oid				 userid; /* of the session */
	Oid				 relid;
	TimestampTz		 started_at;
	double			 planned_records;
	pg_atomic_uint64 records;
	pg_atomic_uint64 pages;
	pg_atomic_uint64 requests;
	pg_atomic_uint64 bytes;
};

/* What is read of a place. */
typedef struct ShownScan
{
	uint32		pid;
	Oid			database;
	Oid			userid;
	Oid			relid;
	TimestampTz started_at;
	double		planned_records;
	uint64		records;
	uint64		pages;
	uint64		requests;
	uint64		bytes;
} ShownScan;

typedef struct Segment
{
	LWLock		 lock; /* of who takes a place, against who reads */
	int			 count;
	ScanProgress places[FLEXIBLE_ARRAY_MEMBER];
} Segment;

PG_FUNCTION_INFO_V1(opportunity_fdw_progress);

static Segment *try_to_attach(void);
static void		attach_to(void *arg);
static bool		is_for_session(int sqlerrcode);
static Segment *attach(void);
static void		initialize(void *memory);
static int		place_count(void);
static bool		is_used_by(const ScanProgress *place, uint32 pid);
static int		read_places(Segment *segment, ShownScan *scans);
static bool		may_see(Oid userid);
static void		put_row(ReturnSetInfo *rows, const ShownScan *scan);

/*
 * A scan of this session begins.  Returns NULL where that cannot be shown.  It is
 * shown until scan_progress_end.
 */
ScanProgress *
scan_progress_begin(Oid relid, double planned_records)
{
	Segment		 *segment = try_to_attach();
	ScanProgress *found = NULL;

	if (segment == NULL)
		return NULL;
	LWLockAcquire(&segment->lock, LW_EXCLUSIVE);
	for (int i = 0; found == NULL && i < segment->count; i++)
	{
		ScanProgress *place = &segment->places[i];

		if (!is_used_by(place, pg_atomic_read_u32(&place->pid)))
			found = place;
	}
	if (found != NULL)
	{
		found->proc = (int) (MyProc - ProcGlobal->allProcs);
		found->database = MyDatabaseId;
		found->userid = GetSessionUserId();
		found->relid = relid;
		found->started_at = GetCurrentTimestamp();
		found->planned_records = planned_records;
		scan_progress_update(found, 0, 0, 0, 0);
		pg_atomic_write_u32(&found->pid, (uint32) MyProcPid);
	}
	LWLockRelease(&segment->lock);
	return found;
}

/* Shows how far a scan is.  progress may be NULL, as for the other functions. */
void
scan_progress_update(ScanProgress *progress, int64 records, int64 pages,
					 int64 requests, int64 bytes)
{
	if (progress == NULL)
		return;
	pg_atomic_write_u64(&progress->records, (uint64) records);
	pg_atomic_write_u64(&progress->pages, (uint64) pages);
	pg_atomic_write_u64(&progress->requests, (uint64) requests);
	pg_atomic_write_u64(&progress->bytes, (uint64) bytes);
}

/* The scan is over.  Raises no error. */
void
scan_progress_end(ScanProgress *progress)
{
	if (progress != NULL)
		pg_atomic_write_u32(&progress->pid, 0);
}

/* SQL function: a row for each scan that runs, in whatever session. */
Datum
opportunity_fdw_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	Segment		  *segment = attach();
	ShownScan	  *scans;
	int			   count;

	if (segment == NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("the progress of other sessions is known from "
							   "PostgreSQL 17 on"),
						errhint("Within a session, the setting "
								"\"opportunity_fdw.progress\" tells.")));
	compat_begin_rows(fcinfo);
	scans = palloc(segment->count * sizeof(ShownScan));
	count = read_places(segment, scans);
	for (int i = 0; i < count; i++)
		put_row(rows, &scans[i]);
	return (Datum) 0;
}

/*
 * As attach, for a query, which must not fail because nobody could see how far it
 * is: NULL as well where the system refuses, and from then on in this session.
 */
static Segment *
try_to_attach(void)
{
	static Segment *segment = NULL;
	static bool		was_tried = false;
	ErrorData	   *error;

	/* Before 17, and while processes work together, there is no such attempt. */
	if (was_tried || !COMPAT_HAS_NAMED_SEGMENTS || IsInParallelMode())
		return segment;
	error = subtransaction_run(attach_to, &segment);
	if (error != NULL && is_for_session(error->sqlerrcode))
		ReThrowError(error);
	if (error != NULL)
		ereport(LOG, (errmsg_internal("the progress of scans is not shown: %s",
									  error->message)));
	was_tried = true;
	return segment;
}

static void
attach_to(void *arg)
{
	Segment **segment = arg;

	*segment = attach();
}

/* Whether an error is no refusal, but meant to end what the session does. */
static bool
is_for_session(int sqlerrcode)
{
	int category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		   category == ERRCODE_TRANSACTION_ROLLBACK;
}

/* The segment, made by whoever comes first; NULL: there can be none. */
static Segment *
attach(void)
{
	static Segment *segment = NULL;
	bool			found;

	if (segment != NULL)
		return segment;
	segment = compat_named_segment(SEGMENT_NAME,
								   offsetof(Segment, places) +
									   place_count() * sizeof(ScanProgress),
								   initialize, &found);
	if (segment != NULL)
		LWLockRegisterTranche(segment->lock.tranche, "OpportunityFdwProgress");
	return segment;
}

static void
initialize(void *memory)
{
	Segment *segment = memory;

	LWLockInitialize(&segment->lock, LWLockNewTrancheId());
	segment->count = place_count();
	for (int i = 0; i < segment->count; i++)
	{
		ScanProgress *place = &segment->places[i];

		pg_atomic_init_u32(&place->pid, 0);
		pg_atomic_init_u64(&place->records, 0);
		pg_atomic_init_u64(&place->pages, 0);
		pg_atomic_init_u64(&place->requests, 0);
		pg_atomic_init_u64(&place->bytes, 0);
	}
}

static int
place_count(void)
{
	return PLACES_PER_BACKEND * MaxBackends;
}

/*
 * Whether the process that a place names still runs: one that has ended may have
 * left its name behind.  The caller holds the segment's lock.
 */
static bool
is_used_by(const ScanProgress *place, uint32 pid)
{
	return pid != 0 && GetPGProcByNumber(place->proc)->pid == (int) pid;
}

/* Reads the places that are used, and returns how many there are. */
static int
read_places(Segment *segment, ShownScan *scans)
{
	int count = 0;

	LWLockAcquire(&segment->lock, LW_SHARED);
	for (int i = 0; i < segment->count; i++)
	{
		ScanProgress *place = &segment->places[i];

		/* Read once: the scan may end meanwhile. */
		uint32 pid = pg_atomic_read_u32(&place->pid);

		if (!is_used_by(place, pid))
			continue;
		scans[count++] = (ShownScan){
			.pid = pid,
			.database = place->database,
			.userid = place->userid,
			.relid = place->relid,
			.started_at = place->started_at,
			.planned_records = place->planned_records,
			.records = pg_atomic_read_u64(&place->records),
			.pages = pg_atomic_read_u64(&place->pages),
			.requests = pg_atomic_read_u64(&place->requests),
			.bytes = pg_atomic_read_u64(&place->bytes),
		};
	}
	LWLockRelease(&segment->lock);
	return count;
}

/* As PostgreSQL itself shows what sessions do. */
static bool
may_see(Oid userid)
{
	return has_privs_of_role(GetUserId(), COMPAT_ROLE_READ_ALL_STATS) ||
		   has_privs_of_role(GetUserId(), userid);
}

static void
put_row(ReturnSetInfo *rows, const ShownScan *scan)
{
	Datum values[PROGRESS_COLUMNS];
	bool  nulls[PROGRESS_COLUMNS];

	memset(nulls, !may_see(scan->userid), sizeof(nulls));
	nulls[0] = nulls[1] = nulls[2] = false;
	values[0] = Int32GetDatum((int32) scan->pid);
	values[1] = ObjectIdGetDatum(scan->database);
	values[2] = ObjectIdGetDatum(scan->userid);
	values[3] = ObjectIdGetDatum(scan->relid);
	values[4] = TimestampTzGetDatum(scan->started_at);
	values[5] = Float8GetDatum(scan->planned_records);
	values[6] = Int64GetDatum((int64) scan->records);
	values[7] = Int64GetDatum((int64) scan->pages);
	values[8] = Int64GetDatum((int64) scan->requests);
	values[9] = Int64GetDatum((int64) scan->bytes);
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}
