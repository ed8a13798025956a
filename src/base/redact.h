/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * redact.h
 *	  Removes the API key from remote texts that messages show.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_REDACT_H
#define OPPORTUNITY_REDACT_H

#include "postgres.h"

extern char	 *redact_text(const char *key, const char *text);
extern size_t redact_copy(const char *key, const char *text, size_t length,
						  char *target, size_t size);

#endif /* OPPORTUNITY_REDACT_H */
