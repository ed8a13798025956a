/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * memory.c
 *	  Memory contexts in which every palloc is a malloc of its own, so that
 *	  AddressSanitizer sees its bounds and its lifetime.
 *
 * repalloc always moves.  Contexts have parents, children and callbacks, which
 * run in the backend's order: children first, then callbacks, the last one
 * first.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sanitizer/asan_interface.h>

#include "nodes/memnodes.h"
#include "utils/memutils.h"

#include "shim.h"

typedef struct ShimContext ShimContext;

/* The header before each piece of memory; poisoned, so that each access is an error. */
typedef struct Chunk
{
	ShimContext	 *context;
	struct Chunk *previous;
	struct Chunk *next;
	Size		  size;
} Chunk;

struct ShimContext
{
	MemoryContextData base;
	Chunk			 *chunks;
};

MemoryContext TopMemoryContext = NULL;
MemoryContext CurrentMemoryContext = NULL;
MemoryContext ErrorContext = NULL;

static Chunk *chunk_of(void *pointer);
static void	  set_previous(Chunk *chunk, Chunk *previous);
static void	  unlink_context(MemoryContext context);

void
shim_memory_begin(void)
{
	TopMemoryContext = AllocSetContextCreate(NULL, "top", 0, 0, 0);
	CurrentMemoryContext = TopMemoryContext;
}

void
shim_memory_end(void)
{
	MemoryContextDelete(TopMemoryContext);
	TopMemoryContext = CurrentMemoryContext = NULL;
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize,
							  Size maxBlockSize)
{
	ShimContext *context = calloc(1, sizeof(ShimContext));

	(void) minContextSize;
	(void) initBlockSize;
	(void) maxBlockSize;
	FUZZ_CHECK(context != NULL);
	context->base.type = T_AllocSetContext;
	context->base.name = name;
	MemoryContextSetParent(&context->base, parent);
	return &context->base;
}

void
MemoryContextSetParent(MemoryContext context, MemoryContext new_parent)
{
	unlink_context(context);
	context->parent = new_parent;
	if (new_parent == NULL)
		return;
	context->nextchild = new_parent->firstchild;
	if (context->nextchild != NULL)
		context->nextchild->prevchild = context;
	new_parent->firstchild = context;
}

static void
unlink_context(MemoryContext context)
{
	if (context->prevchild != NULL)
		context->prevchild->nextchild = context->nextchild;
	else if (context->parent != NULL)
		context->parent->firstchild = context->nextchild;
	if (context->nextchild != NULL)
		context->nextchild->prevchild = context->prevchild;
	context->parent = context->prevchild = context->nextchild = NULL;
}

void
MemoryContextRegisterResetCallback(MemoryContext		  context,
								   MemoryContextCallback *callback)
{
	callback->next = context->reset_cbs;
	context->reset_cbs = callback;
}

/* Resets and deletes a context; the code resets no context without deleting it. */
void
MemoryContextDelete(MemoryContext context)
{
	ShimContext			  *shim = (ShimContext *) context;
	MemoryContextCallback *callback;

	while (context->firstchild != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it unlinks itself */
		MemoryContextDelete(context->firstchild);
	while ((callback = context->reset_cbs) != NULL)
	{
		context->reset_cbs = callback->next;
		callback->func(callback->arg);
	}
	FUZZ_CHECK(context != CurrentMemoryContext || context->parent == NULL);
	unlink_context(context);
	while (shim->chunks != NULL)
		pfree(shim->chunks + 1);
	free(shim);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	ShimContext *shim = (ShimContext *) context;
	Chunk		*chunk;

	if ((flags & MCXT_ALLOC_HUGE) != 0 ? !AllocHugeSizeIsValid(size)
									   : !AllocSizeIsValid(size))
		elog(ERROR, "invalid memory alloc request size %zu", size);
	chunk = malloc(sizeof(Chunk) + size);
	if (chunk == NULL && (flags & MCXT_ALLOC_NO_OOM) != 0)
		return NULL;
	FUZZ_CHECK(chunk != NULL);
	if ((flags & MCXT_ALLOC_ZERO) != 0)
		memset(chunk + 1, 0, size);

	chunk->context = shim;
	chunk->size = size;
	chunk->previous = NULL;
	chunk->next = shim->chunks;
	set_previous(chunk->next, chunk);
	shim->chunks = chunk;
	ASAN_POISON_MEMORY_REGION(chunk, sizeof(Chunk));
	return chunk + 1;
}

void
pfree(void *pointer)
{
	Chunk *chunk;

	/* Outside of the backend, the JSON parser of version 17 also frees NULL. */
#if PG_VERSION_NUM >= 170000
	if (pointer == NULL)
		return;
#endif
	chunk = chunk_of(pointer);
	if (chunk->previous != NULL)
	{
		ASAN_UNPOISON_MEMORY_REGION(chunk->previous, sizeof(Chunk));
		chunk->previous->next = chunk->next;
		ASAN_POISON_MEMORY_REGION(chunk->previous, sizeof(Chunk));
	}
	else
		chunk->context->chunks = chunk->next;
	set_previous(chunk->next, chunk->previous);
	free(chunk);
}

static void
set_previous(Chunk *chunk, Chunk *previous)
{
	if (chunk == NULL)
		return;
	ASAN_UNPOISON_MEMORY_REGION(chunk, sizeof(Chunk));
	chunk->previous = previous;
	ASAN_POISON_MEMORY_REGION(chunk, sizeof(Chunk));
}

/*
 * Returns the header of a piece of memory, unpoisoned.
 *
 * NOLINTBEGIN(clang-analyzer-unix.Malloc): pfree() takes what it frees off the
 * list of its context.
 */
static Chunk *
chunk_of(void *pointer)
{
	Chunk *chunk = (Chunk *) pointer - 1;

	ASAN_UNPOISON_MEMORY_REGION(chunk, sizeof(Chunk));
	return chunk;
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */

void *
repalloc(void *pointer, Size size)
{
	Chunk chunk = *chunk_of(pointer);
	void *moved = MemoryContextAlloc(&chunk.context->base, size);

	memcpy(moved, pointer, Min(size, chunk.size));
	pfree(pointer);
	return moved;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, 0);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_ZERO);
}

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocZero(CurrentMemoryContext, size);
}

char *
MemoryContextStrdup(MemoryContext context, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(MemoryContextAlloc(context, size), text, size);
}

char *
pstrdup(const char *text)
{
	return pnstrdup(text, strlen(text));
}

char *
pnstrdup(const char *text, Size length)
{
	char *copy;

	length = strnlen(text, length);
	copy = palloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}
