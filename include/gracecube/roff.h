/* Manual pages: text as troff wants it, in the macros of man(7), which groff and mandoc read alike.
 *
 * Guarantee: whatever stands in the text shows as it stands; hyphens, quotes and carets stay the ASCII characters that can be
 * copied into a shell. `words` between backquotes are bold in prose.
 */
#ifndef GRACECUBE_ROFF_H
#define GRACECUBE_ROFF_H

#include <stdio.h>

/* The page's head and its NAME. `made_by` is the command that prints it. */
void gc_roff_title(FILE *out, const char *name, int section, const char *summary, const char *made_by);
void gc_roff_heading(FILE *out, const char *heading);
/* Paragraphs parted by empty lines; lines that begin with two blanks stay lines. */
void gc_roff_prose(FILE *out, const char *text);
/* Lines as they are. */
void gc_roff_example(FILE *out, const char *text);
/* A term of a list; what follows explains it. */
void gc_roff_term(FILE *out, const char *term);
void gc_roff_file(FILE *out, const char *path); /* the same for the path of a file */
/* "gracecube-run(1), gracecube.yaml(5)": one reference after the other; the first has comma "". */
void gc_roff_reference(FILE *out, const char *comma, const char *name, int section);
/* A line of text; printf's format. */
void gc_roff_line(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
