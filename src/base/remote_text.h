/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_text.h
 *	  Removes the API key from remote texts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_REMOTE_TEXT_H
#define OPPORTUNITY_REMOTE_TEXT_H

#include "postgres.h"

extern char	 *redact_text(const char *key, const char *text);
extern size_t redact_copy(const char *key, const char *text, size_t length,
						  char *target, size_t size);

#endif /* OPPORTUNITY_REMOTE_TEXT_H */
