/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The differences between PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_COMPAT_H
#define OPPORTUNITY_COMPAT_H

#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "miscadmin.h"
#include "postmaster/autovacuum.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "opportunity_fdw needs PostgreSQL 15 or later"
#endif

/* PostgreSQL 18 has a keyword for functions that do not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* Returns true for a virtual generated column, new in PostgreSQL 18. */
static inline bool
compat_is_virtual(Form_pg_attribute attribute)
{
#if PG_VERSION_NUM >= 180000
	return attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	(void) attribute;
	return false;
#endif
}

/* Returns true in a process of autovacuum.  PostgreSQL 17 has another function. */
static inline bool
compat_is_autovacuum(void)
{
#if PG_VERSION_NUM >= 170000
	return AmAutoVacuumWorkerProcess();
#else
	return IsAutoVacuumWorkerProcess();
#endif
}

/* Returns a wait event.  From PostgreSQL 17 on, extensions can name theirs. */
static inline uint32
compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

#endif /* OPPORTUNITY_COMPAT_H */
