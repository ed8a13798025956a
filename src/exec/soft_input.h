/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * soft_input.h
 *	  Calls of input functions that return the error about a value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SOFT_INPUT_H
#define OPPORTUNITY_SOFT_INPUT_H

#include "postgres.h"

#include "fmgr.h"

extern bool soft_input_is_possible(Oid type);
extern bool soft_input_call(FmgrInfo *input, char *text, Oid input_param,
							int32 typmod, Datum *value, char **message);

#endif /* OPPORTUNITY_SOFT_INPUT_H */
