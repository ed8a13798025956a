/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_escape.h
 *	  Escapes in JSON, for databases that are not in UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_JSON_ESCAPE_H
#define OPPORTUNITY_JSON_ESCAPE_H

#include "postgres.h"

extern void json_rewrite_escapes(char *body, int *length);

#endif /* OPPORTUNITY_JSON_ESCAPE_H */
