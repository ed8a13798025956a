/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_escape.h
 *	  Rewrites escapes in JSON, for server encodings other than UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_JSON_ESCAPE_H
#define OPPORTUNITY_JSON_ESCAPE_H

#include "postgres.h"

extern void json_rewrite_escapes(char *body, int *length);

#endif /* OPPORTUNITY_JSON_ESCAPE_H */
