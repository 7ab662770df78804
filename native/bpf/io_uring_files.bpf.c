// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is done to files through io_uring, when the request has completed: ftruncate, setxattr and fsetxattr. */
#include "io_uring_named.h"
#include "open_file.h"

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_ftruncate, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_FTRUNCATE, INDEX_FTRUNCATE);
	struct io_ftrunc *asked = PART_OF_REQUEST(io_ftrunc, request);
	struct file *file = BPF_CORE_READ(request, file);
	long descriptor = take_noted_descriptor(request);
	struct record_ftruncate *record;
	__u32 end;

	if (!scratch || !bpf_core_type_exists(struct io_ftrunc))
		return 0;
	record = (struct record_ftruncate *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->fd = descriptor;
	record->length = BPF_CORE_READ(asked, len);
	end = FILL_FILE(record, scratch, sizeof(*record), file);
	send_record(scratch, end, INDEX_FTRUNCATE);
	return 0;
}

/* Append the name of the attribute, which was noted as the second of the request; returns where the next value goes. */
static __always_inline __u32 append_attribute(struct scratch *scratch, __u32 position, struct io_kiocb *request,
					      __u16 *attribute_length)
{
	int length = take_noted_name(scratch, 1, request);

	*attribute_length = length < 0 ? 0 : length;
	append_kernel(scratch, position, scratch->names[1], reread(attribute_length));
	return position + reread(attribute_length);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_fsetxattr, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_FSETXATTR, INDEX_FSETXATTR);
	struct io_xattr *asked = PART_OF_REQUEST(io_xattr, request);
	struct file *file = BPF_CORE_READ(request, file);
	__u32 position = sizeof(struct record_fsetxattr);
	long descriptor = take_noted_descriptor(request);
	struct record_fsetxattr *record;

	if (!scratch)
		return 0;
	record = (struct record_fsetxattr *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->fd = descriptor;
	record->size = BPF_CORE_READ(asked, ctx.size);
	record->flags = BPF_CORE_READ(asked, ctx.flags);
	position = append_attribute(scratch, position, request, &record->attribute_length);
	position = FILL_FILE(record, scratch, position, file);
	send_record(scratch, position, INDEX_FSETXATTR);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(handle_io_uring_setxattr, struct io_ring_ctx *ring, struct io_kiocb *request)
{
	struct scratch *scratch = begin_io_uring_record(EVENT_SETXATTR, INDEX_SETXATTR);
	struct io_xattr *asked = PART_OF_REQUEST(io_xattr, request);
	__u32 position = sizeof(struct record_setxattr);
	struct record_setxattr *record;

	if (!scratch)
		return 0;
	record = (struct record_setxattr *)scratch->record;
	record->res = BPF_CORE_READ(request, cqe.res);
	record->size = BPF_CORE_READ(asked, ctx.size);
	record->flags = BPF_CORE_READ(asked, ctx.flags);
	position = append_noted(scratch, position, request, 0, WORKING_DIRECTORY, &record->path_length,
				&record->nameraw_length);
	position = append_attribute(scratch, position, request, &record->attribute_length);
	append_kernel(scratch, position, scratch->names[0], reread(&record->nameraw_length));
	send_record(scratch, position + reread(&record->nameraw_length), INDEX_SETXATTR);
	return 0;
}
