/* What the end of the prompt says about the beginning of the answer. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

static size_t last_of(struct al_str text, struct al_str what)
{
  for (size_t i = text.size; i-- > 0;)
    if (al_str_starts(al_sx_from(text, i), what))
      return i;
  return text.size;
}

/* The header that the prompt has begun: "<|start|>assistant", perhaps with a channel. */
static struct al_str message_header(struct al_str tail)
{
  if (tail.size == 0)
    return al_str("<|start|>assistant");
  struct al_str header = al_sx_from(tail, last_of(tail, al_str("<|start|>")));
  size_t message = last_of(header, al_str("<|message|>"));
  if (!al_str_starts(header, al_str("<|start|>assistant")))
    return (struct al_str){};
  return message < header.size ? al_str_n(header.data, message + strlen("<|message|>")) : header;
}

static bool ends_with(struct al_str text, const char *marker)
{
  for (size_t n; (n = al_sx_trailing_space(text)) > 0;)
    text.size -= n;
  return marker != nullptr && al_str_ends(text, al_str(marker));
}

struct al_str al_sx_prompt_opened(const struct al_syntax *syntax, struct al_str prompt_tail)
{
  if (syntax->step != nullptr)
    return message_header(prompt_tail);
  return ends_with(prompt_tail, syntax->think_open) ? al_str(syntax->think_open) : (struct al_str){};
}

bool al_sx_prompt_closed(const struct al_syntax *syntax, struct al_str prompt_tail)
{
  return ends_with(prompt_tail, syntax->think_close);
}
