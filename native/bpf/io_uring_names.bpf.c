// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names of files through io_uring, when the request has completed: unlink, mkdir, rename, link and symlink. */
#include "io_uring_named.h"

/* Append the path and the name as it was written; returns where the record ends. */
static __always_inline __u32 append_noted_path(struct scratch *scratch, __u32 position, struct io_kiocb *request,
					       int dirfd, __u16 *path_length, __u16 *raw_length)
{
	position = append_noted(scratch, position, request, 0, dirfd, path_length, raw_length);
	append_kernel(scratch, position, scratch->names[0], reread(raw_length));
	return position + reread(raw_length);
}

static __always_inline __u32 append_noted_paths(struct scratch *scratch, __u32 position, struct io_kiocb *request,
						int source, int target, struct two_paths *lengths)
{
	position = append_noted(scratch, position, request, 0, source, &lengths->source, &lengths->sourceraw);
	position = append_noted(scratch, position, request, 1, target, &lengths->target, &lengths->targetraw);
	append_kernel(scratch, position, scratch->names[0], reread(&lengths->sourceraw));
	position += reread(&lengths->sourceraw);
	append_kernel(scratch, position, scratch->names[1], reread(&lengths->targetraw));
	return position + reread(&lengths->targetraw);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_unlinkat, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_UNLINKAT, INDEX_UNLINKAT);
	struct io_unlink *unlink = PART_OF_REQUEST(io_unlink, request);
	struct record_unlinkat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_unlinkat *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->dirfd = BPF_CORE_READ(unlink, dfd);
	record->flags = BPF_CORE_READ(unlink, flags) & UNLINKAT_FLAG_AT_REMOVEDIR;
	end = append_noted_path(scratch, sizeof(*record), request, record->dirfd, &record->name_length,
				&record->nameraw_length);
	send_record(scratch, end, INDEX_UNLINKAT);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_mkdirat, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_MKDIRAT, INDEX_MKDIRAT);
	struct io_mkdir *mkdir = PART_OF_REQUEST(io_mkdir, request);
	struct record_mkdirat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_mkdirat *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->dirfd = BPF_CORE_READ(mkdir, dfd);
	record->mode = BPF_CORE_READ(mkdir, mode);
	end = append_noted_path(scratch, sizeof(*record), request, record->dirfd, &record->path_length,
				&record->nameraw_length);
	send_record(scratch, end, INDEX_MKDIRAT);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_renameat, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_RENAMEAT2, INDEX_RENAMEAT2);
	struct io_rename *rename = PART_OF_REQUEST(io_rename, request);
	struct record_renameat2 *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_renameat2 *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->olddirfd = BPF_CORE_READ(rename, old_dfd);
	record->newdirfd = BPF_CORE_READ(rename, new_dfd);
	record->flags = BPF_CORE_READ(rename, flags);
	end = append_noted_paths(scratch, sizeof(*record), request, record->olddirfd, record->newdirfd,
				 (struct two_paths *)&record->oldpath_length);
	send_record(scratch, end, INDEX_RENAMEAT2);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_linkat, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_LINKAT, INDEX_LINKAT);
	struct io_link *link = PART_OF_REQUEST(io_link, request);
	struct record_linkat *record;
	__u32 end;

	if (!scratch)
		return 0;
	record = (struct record_linkat *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->olddir = BPF_CORE_READ(link, old_dfd);
	record->newdir = BPF_CORE_READ(link, new_dfd);
	record->flags = BPF_CORE_READ(link, flags) & (LINKAT_FLAG_AT_SYMLINK_FOLLOW | LINKAT_FLAG_AT_EMPTY_PATH);
	end = append_noted_paths(scratch, sizeof(*record), request, record->olddir, record->newdir,
				 (struct two_paths *)&record->oldpath_length);
	send_record(scratch, end, INDEX_LINKAT);
	return 0;
}

/* The text that the link holds is no name of a file, and stays as it is. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_symlinkat, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_SYMLINKAT, INDEX_SYMLINKAT);
	struct io_link *link = PART_OF_REQUEST(io_link, request);
	struct record_symlinkat *record;
	__u32 position = sizeof(*record);
	int length;

	if (!scratch)
		return 0;
	record = (struct record_symlinkat *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->linkdirfd = BPF_CORE_READ(link, new_dfd);
	length = take_noted_name(scratch, 0, request);
	record->target_length = length < 0 ? 0 : length;
	append_kernel(scratch, position, scratch->names[0], reread(&record->target_length));
	position += reread(&record->target_length);
	position = append_noted(scratch, position, request, 1, record->linkdirfd, &record->linkpath_length,
				&record->targetraw_length);
	append_kernel(scratch, position, scratch->names[1], reread(&record->targetraw_length));
	send_record(scratch, position + reread(&record->targetraw_length), INDEX_SYMLINKAT);
	return 0;
}
