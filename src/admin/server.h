/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * server.h
 *	  Foreign servers of this wrapper, for functions that take their names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SERVER_H
#define OPPORTUNITY_SERVER_H

#include "postgres.h"

#include "foreign/foreign.h"

extern ForeignServer *server_find(const char *name);
extern bool			  server_is_ours(const ForeignServer *server);

#endif /* OPPORTUNITY_SERVER_H */
