/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths that a call was given by name, when the call has ended and its file is out of reach. The directory that a
 * relative name begins at is the kernel's; the name is the caller's, made absolute and plain: "." and ".." and double
 * slashes are resolved as text, so a symbolic link before ".." is not followed. Every such record has the flag
 * RECORD_USER_MEMORY, for another thread may have changed the name meanwhile.
 */
#pragma once

#include "descriptor.h"
#include "path.h"

#define WORKING_DIRECTORY -100 /* AT_FDCWD */
#define NAME_BYTES_BASIC 512   /* of a name that is made plain in the basic tier; longer ones stay as they are */
#define COMPONENTS_BASIC 32    /* of it; a power of two */
#define KERNEL_AT_SYMLINK_NOFOLLOW 0x100
#define KERNEL_AT_EMPTY_PATH 0x1000

/* A name is read from its end to its beginning: then what ".." takes away is known before it comes. */
struct name_walk {
	struct path_walk path;
	const __u8 *name;
	__u32 length; /* of the name */
	__u32 end;    /* of the component that is being read */
};

/* A name that a call was given, and where it begins if it is relative. */
struct given_name {
	int dirfd;
	const void *name;
};

#define GIVEN(dirfd, name) ((struct given_name){dirfd, (const void *)(name)})

static __always_inline __u8 name_byte(const struct name_walk *walk, __u32 position)
{
	barrier_var(position);
	return walk->name[position & (VALUE_MAXIMUM - 1)];
}

/* Write "/component" in front of what is there. Unlike a real directory's, its name may be of any length. */
static __always_inline int prepend_component(struct name_walk *walk, __u32 begin, __u32 length)
{
	__u32 start = walk->path.start;

	if (length >= VALUE_MAXIMUM || start < length + 2 || start > VALUE_MAXIMUM)
		return 0;
	barrier_var(begin);
	begin &= VALUE_MAXIMUM - 1;
	barrier_var(length);
	length &= VALUE_MAXIMUM - 1;
	start = (start - length) & (VALUE_MAXIMUM - 1);
	if (bpf_probe_read_kernel(&walk->path.buffer[start], length, &walk->name[begin]))
		return 0;
	start = (start - 1) & (VALUE_MAXIMUM - 1);
	walk->path.buffer[start] = '/';
	walk->path.start = start;
	return 1;
}

/* Write a component, or leave it out for what it says. Returns 1 when there is no room. */
static __always_inline int take_component(struct name_walk *walk, __u32 begin, __u32 length)
{
	__u8 first = name_byte(walk, begin);

	if (length == 0 || (length == 1 && first == '.'))
		return 0;
	if (length == 2 && first == '.' && name_byte(walk, begin + 1) == '.') {
		walk->path.skip++;
		return 0;
	}
	if (walk->path.skip) {
		walk->path.skip--;
		return 0;
	}
	if (prepend_component(walk, begin, length))
		return 0;
	walk->path.end = WALK_CUT;
	return 1;
}

#ifdef BASIC_TIER

/* Where the slashes of a name are, in the part of scratch->path that is free meanwhile. */
struct slashes {
	__u32 length; /* of the name: here the verifier does not learn of it step by step */
	__u32 count;
	__u16 places[COMPONENTS_BASIC];
};

static __always_inline volatile struct slashes *slashes_of(const struct name_walk *walk)
{
	return (volatile struct slashes *)&walk->path.buffer[VALUE_MAXIMUM];
}

STEP int note_slash(__u32 step, struct name_walk *walk)
{
	volatile struct slashes *slashes = slashes_of(walk);
	__u32 count = slashes->count;

	if (step >= slashes->length)
		return 1;
	if (name_byte(walk, step) == '/') {
		slashes->places[count & (COMPONENTS_BASIC - 1)] = step;
		slashes->count = count + 1;
	}
	return 0;
}

/* Take the last component that is left. */
STEP int walk_one_component(__u32 step, struct name_walk *walk)
{
	volatile struct slashes *slashes = slashes_of(walk);
	__u32 count = slashes->count, begin = 0, end;

	FORGET(walk->path.skip, WALK_SPARE(&walk->path));
	FORGET(walk->path.start, WALK_SPARE(&walk->path));
	FORGET(walk->end, WALK_SPARE(&walk->path));
	end = walk->end;
	if (count) {
		walk->end = slashes->places[(count - 1) & (COMPONENTS_BASIC - 1)];
		begin = walk->end + 1;
		slashes->count = count - 1;
	}
	return take_component(walk, begin, end - begin) || !count;
}

/* A look at each byte as in the full tier is more than the verifier follows: first the slashes, then what is between. */
static __always_inline void walk_name(struct name_walk *walk)
{
	volatile struct slashes *slashes = slashes_of(walk);

	slashes->length = walk->length;
	slashes->count = 0;
	LOOP(NAME_BYTES_BASIC, NAME_BYTES_BASIC, note_slash, walk);
	if (slashes->length > NAME_BYTES_BASIC || slashes->count >= COMPONENTS_BASIC)
		walk->path.end = WALK_CUT;
	else
		LOOP(COMPONENTS_BASIC, COMPONENTS_BASIC, walk_one_component, walk);
}

#else

/* Look at one byte of the name, the last one first; the step behind its first byte ends the first component. */
static int walk_one_byte(__u32 step, struct name_walk *walk)
{
	__u32 begin = walk->length - step, length = walk->end - begin;

	if (step < walk->length && name_byte(walk, begin - 1) != '/')
		return 0;
	walk->end = begin - 1;
	return take_component(walk, begin, length);
}

static __always_inline void walk_name(struct name_walk *walk)
{
	bpf_loop(walk->length + 1, walk_one_byte, walk, 0);
}

#endif

/* Write the directory that a relative name begins at; 0 when there is none. */
static __always_inline int walk_directory(struct record_header *header, struct name_walk *walk, int dirfd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file;

	if (dirfd == WORKING_DIRECTORY)
		return walk_path(header, &walk->path, working_directory(task), task);
	file = file_of_descriptor(task, dirfd);
	if (!file)
		return 0;
	return walk_path(header, &walk->path, (struct path *)__builtin_preserve_access_index(&file->f_path), task);
}

/*
 * Read the caller's name; returns its length, -1 when it can not be read. One that is as long as the buffer is whole if
 * it ends right behind it.
 */
static __always_inline int read_name(struct scratch *scratch, int slot, const void *name)
{
	struct record_header *header = (struct record_header *)scratch->record;
	long length = bpf_probe_read_user_str(scratch->names[slot], VALUE_MAXIMUM, name);
	__u8 next = 0;

	header->flags |= RECORD_USER_MEMORY;
	if (length <= 0)
		return -1;
	if (length == VALUE_MAXIMUM) {
		bpf_probe_read_user(&next, sizeof(next), name + VALUE_MAXIMUM - 1);
		if (next)
			header->flags |= RECORD_TRUNCATED;
	}
	return length - 1;
}

/*
 * Whether a name says nothing: it can not be read, or is empty. Where the call has worked all the same, the kernel was
 * asked for the directory itself, with an empty name or with none.
 */
static __always_inline int is_nothing(int length, const void *name, long result)
{
	return length < 0 ? name || result < 0 : length == 0 && result < 0;
}

/* Append the path that a name means; 0 when none can be made of it. */
static __always_inline __u32 append_plain(struct scratch *scratch, __u32 position, int slot, __u32 length, int dirfd)
{
	struct record_header *header = (struct record_header *)scratch->record;
	struct name_walk walk = {
		.path = {.buffer = scratch->path, .start = VALUE_MAXIMUM},
		.name = scratch->names[slot],
		.length = length,
		.end = length,
	};

	walk_name(&walk);
	if (walk.path.end == WALK_CUT) {
		header->flags |= RECORD_TRUNCATED;
		return 0;
	}
	if ((length == 0 || scratch->names[slot][0] != '/') && !walk_directory(header, &walk, dirfd))
		return 0;
	return append_walked(scratch, position, &walk.path);
}

/*
 * Append the path that a name means, which is in scratch->names and has `length` bytes, -1 if it could not be read; one
 * that none can be made of stands for itself. Sets the lengths of the path and of the name, the latter to 0 where both
 * are the same. Returns where the next value goes.
 */
static __always_inline __u32 append_meant(struct scratch *scratch, __u32 position, long result, int slot, int length,
					  struct given_name given, __u16 *path_length, __u16 *raw_length)
{
	*path_length = 0;
	*raw_length = 0;
	if (is_nothing(length, given.name, result))
		return position;
	*raw_length = length < 0 ? 0 : length;
	*path_length = append_plain(scratch, position, slot, reread(raw_length), given.dirfd);
	if (!reread(path_length)) {
		*path_length = append_kernel(scratch, position, scratch->names[slot], reread(raw_length));
		*raw_length = 0;
	}
	/* Making a name plain only takes bytes away, and making it absolute only adds some to a relative one. */
	if (reread(path_length) == reread(raw_length) && scratch->names[slot][0] == '/')
		*raw_length = 0;
	return position + reread(path_length);
}

/* The same for a name in the caller's memory. */
static __always_inline __u32 append_resolved(struct scratch *scratch, __u32 position, long result, int slot,
					     struct given_name given, __u16 *path_length, __u16 *raw_length)
{
	return append_meant(scratch, position, result, slot, read_name(scratch, slot, given.name), given, path_length,
			    raw_length);
}

/* Append the path that a name means, and the name as it was written. Returns where the next value goes. */
static __always_inline __u32 append_named_path(struct scratch *scratch, __u32 position, long result,
					       struct given_name given, __u16 *path_length, __u16 *raw_length)
{
	position = append_resolved(scratch, position, result, 0, given, path_length, raw_length);
	append_kernel(scratch, position, scratch->names[0], reread(raw_length));
	return position + reread(raw_length);
}

/* The lengths that a record of two paths has, in the order in which the values stand. */
struct two_paths {
	__u16 source, target, sourceraw, targetraw;
};

/* Append two paths and both names as they were written. Returns where the next value goes. */
static __always_inline __u32 append_two_paths(struct scratch *scratch, __u32 position, long result,
					      struct given_name source, struct given_name target,
					      struct two_paths *lengths)
{
	position = append_resolved(scratch, position, result, 0, source, &lengths->source, &lengths->sourceraw);
	position = append_resolved(scratch, position, result, 1, target, &lengths->target, &lengths->targetraw);
	append_kernel(scratch, position, scratch->names[0], reread(&lengths->sourceraw));
	position += reread(&lengths->sourceraw);
	append_kernel(scratch, position, scratch->names[1], reread(&lengths->targetraw));
	return position + reread(&lengths->targetraw);
}

/* Flags of a call that takes a name, in Falco's values. */
static __always_inline __u32 portable_at_flags(__u32 flags)
{
	__u32 portable = 0;

	portable |= flags & KERNEL_AT_SYMLINK_NOFOLLOW ? FCHOWNAT_FLAG_AT_SYMLINK_NOFOLLOW : 0;
	portable |= flags & KERNEL_AT_EMPTY_PATH ? FCHOWNAT_FLAG_AT_EMPTY_PATH : 0;
	return portable;
}
