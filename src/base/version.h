/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * version.h
 *	  The extension's version, as opportunity_fdw.control has it too.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_VERSION_H
#define OPPORTUNITY_VERSION_H

#define OPPORTUNITY_FDW_VERSION "0.9"

#endif /* OPPORTUNITY_VERSION_H */
