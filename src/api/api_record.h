/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_record.h
 *	  GET /api/v2/{record_type}/{id}: one record.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_RECORD_H
#define OPPORTUNITY_API_RECORD_H

#include "postgres.h"

#include "utils/uuid.h"

#include "api/api.h"
#include "api/record.h"

extern HttpTransfer *api_get_record(Api *api, const pg_uuid_t *id,
									HttpBudget *budget);
extern bool			 api_finish_record(Api *api, HttpTransfer *transfer,
									   const pg_uuid_t *id, HttpBudget *budget,
									   const AttributeSet *wanted, Record **record);
extern bool api_try_record(const Api *api, const HttpTransfer *transfer,
						   const pg_uuid_t *id, const AttributeSet *wanted,
						   Record **record);

#endif /* OPPORTUNITY_API_RECORD_H */
