/* What a syntax is made of: markers, the slots of its parser, and the form its grammar takes. Descriptors are static;
 * find.c lists them. Markers of one list never begin with each other. */
#ifndef AL_TEXT_SYNTAX_DESCRIPTOR_H
#define AL_TEXT_SYNTAX_DESCRIPTOR_H

#include "text/syntax.h"

/* What a slot says about the text before it: more is needed; it is not mine; done, `*used` bytes of it. */
enum al_sx_verdict { AL_SX_WAIT, AL_SX_NO, AL_SX_YES };

/* `view` is what has come and is not consumed yet; `is_last`: nothing follows. A verdict holds for every longer view.
 */
typedef enum al_sx_verdict al_sx_slot(struct al_syntax_parser *parser, struct al_str view, bool is_last, size_t *used);

/* Calls whose arguments stand in tags, one a parameter. */
struct al_sx_tags {
  const char *param_open;  /* "<parameter=" */
  const char *key_close;   /* ">" */
  const char *value_open;  /* after the key and white space; nullptr: the value begins at once */
  const char *value_close; /* "</parameter>" */
  const char *const *ends; /* of the arguments */
  bool has_own_lines;      /* a value stands between line breaks that are not part of it */
};

/* How the grammar writes calls: open (item_open CALL item_close) (between ...)* close, where a line break stands for
 * optional white space. CALL is {"name": ..., args_key: ...}, or with args_key nullptr: name name_end ARGUMENTS. */
struct al_sx_form {
  const char *open, *item_open, *item_close, *between, *close;
  const char *args_key;
  const char *name_end;
  bool has_id;    /* {"name", args_key, "id"}: the family is used to it */
  bool is_single; /* the family never makes more than one call an answer */
};

struct al_syntax {
  const char *name;
  const char *think_open; /* nullptr: none is looked for */
  const char *think_close;
  bool template_thinks;        /* the template speaks of reasoning: a grammar lets it come first */
  const char *const *openers;  /* what begins a call, ends with nullptr; nullptr: no tools */
  const char *const *closers;  /* what may follow one, and is swallowed; tokens that end generation are not
                                 named here, for nobody passes them on */
  const char *const *controls; /* control tokens that none of the markers here spells; may be nullptr */
  bool opens_bare;             /* a call may begin without an opener, where nothing but calls came before */
  al_sx_slot *begin;           /* at an opener, or bare: reads up to the arguments and opens the call */
  al_sx_slot *body;            /* of an open call */
  al_sx_slot *step;            /* harmony: in place of everything above */
  const struct al_sx_tags *tags;
  struct al_sx_form form;
};

extern const struct al_syntax al_syntax_plain, al_syntax_plain_think, al_syntax_plain_think_brackets;
extern const struct al_syntax al_syntax_hermes, al_syntax_hermes_think;
extern const struct al_syntax al_syntax_qwen3_coder, al_syntax_qwen3_coder_think;
extern const struct al_syntax al_syntax_glm, al_syntax_glm4;
extern const struct al_syntax al_syntax_harmony;
extern const struct al_syntax al_syntax_nemotron, al_syntax_nemotron_think;
extern const struct al_syntax al_syntax_mistral, al_syntax_mistral_named, al_syntax_mistral_think,
    al_syntax_mistral_tags;
extern const struct al_syntax al_syntax_llama3;
extern const struct al_syntax al_syntax_phi4, al_syntax_granite;
extern const struct al_syntax al_syntax_deepseek, al_syntax_deepseek_named;

#endif
