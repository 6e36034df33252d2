/* gpt-oss: messages <|start|>assistant<|channel|>NAME<|message|>TEXT<|end|>, where "analysis" is reasoning, "final" and
 * "commentary" are the answer, and "to=functions.f" in a header makes the text a call's arguments. parser->channel says
 * what the text of the message at hand is. */
#include "text/syntax/match.h"
#include "text/syntax/parser.h"

enum { OUTSIDE, ANSWER, ANALYSIS, CALL, CALL_ENDED };

static const char *const starts[] = { "<|start|>", "<|channel|>", "<|message|>", nullptr };
static const char *const header_ends[] = { "<|message|>", nullptr };
static const char *const strays[] = { "<|end|>", "<|return|>", "<|call|>", nullptr };
static const char *const ends[] = { "<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>", nullptr };

static const char *const controls[] = { "<|constrain|>", "<|return|>", "<|call|>", nullptr };

constexpr size_t MAX_HEADER = 1024;

static bool has(struct al_str text, const char *what, size_t *behind)
{
  struct al_str wanted = al_str(what);
  for (size_t i = 0; i + wanted.size <= text.size; i++)
    if (al_str_starts(al_sx_from(text, i), wanted)) {
      *behind = i + wanted.size;
      return true;
    }
  return false;
}

static bool is_name_char(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static struct al_str name_at(struct al_str text, size_t at)
{
  size_t end = at;
  while (end < text.size && is_name_char(text.data[end]))
    end++;
  return al_str_n(text.data + at, end - at);
}

static int channel_of(struct al_str header)
{
  size_t at = 0;
  return has(header, "<|channel|>", &at) && al_str_is(name_at(header, at), "analysis") ? ANALYSIS : ANSWER;
}

/* The header as the model wrote it, without what stood in the prompt. */
static struct al_str without_start(struct al_str header)
{
  struct al_str start = al_str("<|start|>assistant");
  return al_str_starts(header, start) ? al_sx_from(header, start.size) : header;
}

static void open_message(struct al_syntax_parser *p, struct al_str header)
{
  size_t at = 0;
  struct al_str recipient = has(header, "to=functions.", &at) ? name_at(header, at) : (struct al_str){};
  if (al_sx_declared(p, recipient)) {
    al_sx_call_begin(p, recipient);
    p->channel = CALL;
    return;
  }
  p->channel = channel_of(header);
  if (p->channel == ANALYSIS && p->keeps_reasoning)
    al_sx_text(p, without_start(header));
}

/* Behind the prompt's "<|start|>assistant", or the model's own, a header goes on in one of these ways. */
static const char *const header_parts[] = { "<|channel|>", "<|message|>", "<|constrain|>", " to=", nullptr };

/* What follows "<|start|>assistant" is no header: it is an answer, or another header. */
static bool is_abandoned(struct al_str view, bool is_last, size_t *used, bool *waits)
{
  struct al_str start = al_str("<|start|>assistant");
  size_t size = 0;
  if (!al_str_starts(view, start))
    return false;
  enum al_sx_match match = al_sx_match_any(al_sx_from(view, start.size), header_parts, &size);
  *waits = match == AL_SX_PARTIAL && !is_last;
  *used = match == AL_SX_NONE ? start.size : 0;
  return match == AL_SX_NONE;
}

/* At <|start|>, <|channel|> or <|message|>: reads on to the message's text. A header without one is text. */
static enum al_sx_verdict read_header(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  struct al_str header = al_str_n(view.data, al_min_size(view.size, MAX_HEADER));
  bool is_long = header.size == MAX_HEADER, waits = false;
  if (is_abandoned(view, is_last, used, &waits)) {
    p->channel = al_str_starts(al_sx_from(view, *used), al_str("<")) ? OUTSIDE : ANSWER;
    return AL_SX_YES;
  }
  if (waits)
    return AL_SX_WAIT;
  header.size = al_sx_find(header, header_ends, &match, &size);
  if (match == AL_SX_FULL) {
    *used = header.size + size;
    open_message(p, al_str_n(view.data, *used));
    return AL_SX_YES;
  }
  if (!is_last && !is_long)
    return AL_SX_WAIT;
  if (is_last && !is_long) {
    *used = view.size; /* cut inside a header: there is nothing to show */
    return AL_SX_YES;
  }
  (void)al_sx_match_any(view, starts, used);
  al_sx_text(p, al_str_n(view.data, *used));
  p->channel = ANSWER;
  return AL_SX_YES;
}

static enum al_sx_verdict outside(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  size_t size = 0;
  enum al_sx_match start = al_sx_match_any(view, starts, &size);
  if (start == AL_SX_FULL)
    return read_header(p, view, is_last, used);
  enum al_sx_match stray = al_sx_match_any(view, strays, used);
  if (stray == AL_SX_FULL)
    return AL_SX_YES;
  if (!is_last && (start == AL_SX_PARTIAL || stray == AL_SX_PARTIAL))
    return AL_SX_WAIT;
  p->channel = ANSWER;
  return AL_SX_YES;
}

static void end_message(struct al_syntax_parser *p, struct al_str marker, size_t *used)
{
  bool is_end = al_sx_match_any(marker, strays, &(size_t){ 0 }) == AL_SX_FULL;
  if (is_end && p->channel == ANALYSIS && p->keeps_reasoning)
    al_sx_text(p, marker);
  *used += is_end ? marker.size : 0;
  p->channel = OUTSIDE;
}

/* Text up to the message's end. */
static enum al_sx_verdict message(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  enum al_sx_match match = AL_SX_NONE;
  size_t size = 0;
  size_t at = al_sx_find(view, ends, &match, &size);
  if (is_last && match == AL_SX_PARTIAL)
    at = view.size;
  if (p->channel == ANALYSIS)
    al_sx_reasoning(p, al_str_n(view.data, at));
  else if (p->channel == ANSWER)
    al_sx_text(p, al_str_n(view.data, at));
  *used = at;
  if (match != AL_SX_FULL)
    return AL_SX_WAIT;
  end_message(p, al_str_n(view.data + at, size), used);
  return AL_SX_YES;
}

/* Before the arguments' first byte: white space, an end without any, or what cannot be arguments. */
static enum al_sx_verdict call_begins(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  *used = al_sx_leading_space(view);
  view = al_sx_from(view, *used);
  if (view.size == 0 || view.data[0] == '{')
    return view.size == 0 ? AL_SX_WAIT : AL_SX_YES;
  size_t size = 0;
  enum al_sx_match end = al_sx_match_any(view, ends, &size);
  if (end == AL_SX_PARTIAL && !is_last)
    return AL_SX_WAIT;
  if (end == AL_SX_FULL) {
    al_sx_call_delta(p, al_str("{}"));
    al_sx_call_end(p);
    p->channel = CALL_ENDED;
    return AL_SX_YES;
  }
  al_sx_call_break(p);
  p->channel = CALL_ENDED;
  return AL_SX_YES;
}

static enum al_sx_verdict call(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  if (p->scan.depth == 0 && view.data[0] != '{')
    return call_begins(p, view, is_last, used);
  enum al_sx_verdict verdict = al_sx_json_body(p, view, is_last, used);
  if (!p->in_call)
    p->channel = CALL_ENDED;
  return verdict;
}

static enum al_sx_verdict step(struct al_syntax_parser *p, struct al_str view, bool is_last, size_t *used)
{
  if (al_syntax_parser_is_done(p)) {
    p->state = AL_SX_DONE;
    return AL_SX_YES;
  }
  switch (p->channel) {
  case OUTSIDE: return outside(p, view, is_last, used);
  case CALL: return call(p, view, is_last, used);
  default: /* what follows a call's arguments is dropped */ return message(p, view, is_last, used);
  }
}

bool al_sx_harmony_in_reasoning(const struct al_syntax_parser *parser)
{
  return parser->channel == ANALYSIS;
}

const struct al_syntax al_syntax_harmony = {
  .name = "harmony",
  .think_open = "<|channel|>analysis<|message|>",
  .think_close = "<|end|>",
  .template_thinks = true,
  .openers = starts,
  .controls = controls,
  .step = step,
  .form = { .open = "",
            .item_open = "",
            .item_close = "",
            .between = "",
            .close = "",
            .name_end = "",
            .is_single = true },
};
