/*-------------------------------------------------------------------------
 *
 * api.h
 *	  The endpoints of the Reevo API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_H
#define OPPORTUNITY_API_H

#include "postgres.h"

#include "http.h"
#include "option.h"
#include "record.h"

/* The API as one user reaches it, for one type of records. */
typedef struct Api Api;

extern Api *api_open(const Settings *settings, Credentials *credentials);
extern HttpTransfer *api_get_record(Api *api, const char *id,
									HttpBudget *budget);
extern bool	 api_finish_record(Api *api, HttpTransfer *transfer, const char *id,
							   HttpBudget *budget, const AttributeSet *wanted,
							   Record **record);
extern char *api_json_library_version(void);

#define API_RECORD_PATH "/api/v2/%s/%s"

#endif /* OPPORTUNITY_API_H */
