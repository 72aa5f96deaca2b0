/* SPDX-License-Identifier: Apache-2.0
 *
 * The index of a message in a folder: what BASE.json says (PRODUCT 2.2).
 *
 *     folder_index_new → folder_index_file, folder_index_part, … → folder_index_text → folder_index_free
 * One object in UTF-8, readable, with a line end: version 1, delivered (RFC 3339, UTC), target, sender, recipients, size, message (the file),
 * text (the file made of the template, if there is one), headers (from, to, cc, subject, date, message_id; those that are there,
 * unfolded, not decoded), facts (whatever the delivery knows, by lower-case names), parts (file, type, name, content_id, charset, size,
 * body, attachment), or unsplit: why there are no parts though they were asked for.
 * Texts of others are made safe to show; they are for reading, never names of files: those are under message, text and file.
 * Nothing fails until folder_index_text: NULL then means that memory was short. */
#pragma once

#include "deliver/deliver.h"
#include "deliver/smime.h"
#include "deliver/split.h"

struct folder_index;

struct folder_index *folder_index_new(const struct deliver_ask *ask, int64_t now, struct span header);
void folder_index_file(struct folder_index *x, const char *member, const char *file);	/* "message", "text"; "unsplit" */
void folder_index_part(struct folder_index *x, const struct split_part *part, const char *file);
/* smime: encrypted, signed (as smime_…_name have them), signer, fingerprint, why. */
void folder_index_smime(struct folder_index *x, const struct smime_facts *facts);
/* To be freed by free(). */
char *folder_index_text(const struct folder_index *x);
void folder_index_free(struct folder_index **x);
