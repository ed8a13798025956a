/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_tree.h
 *	  jansson, and the body of a response as its tree.  See api.c.
 *
 * For errors and the schema, which are small and of many forms.  Records go
 * through record_parser.c, which builds no tree.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_JSON_TREE_H
#define OPPORTUNITY_JSON_TREE_H

#include "postgres.h"

#include "http/http.h"

/*
 * Never call jansson's json_object: PostgreSQL exports a function of that name,
 * which the dynamic linker would use instead.
 */
#define json_object jansson_json_object
#include <jansson.h>
#undef json_object
#ifdef __GNUC__
#pragma GCC poison json_object
#endif

extern json_t *api_load_json(const HttpTransfer *transfer, bool *is_cut);

#endif /* OPPORTUNITY_JSON_TREE_H */
