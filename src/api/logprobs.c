#include "api/logprobs.h"

#include <math.h>

constexpr double NEVER = -9999.0; /* OpenAI's own word for "not among the likely ones" */

double al_api_logprob_value(float logprob)
{
  return isfinite(logprob) ? (double)logprob : NEVER;
}

static void write_common(struct al_json_writer *w, const struct al_text_logprob *token)
{
  al_jw_kv_str_n(w, "token", token->bytes);
  al_jw_kv_real(w, "logprob", al_api_logprob_value(token->logprob));
  al_jw_key(w, "bytes");
  al_jw_array(w);
  for (size_t i = 0; i < token->bytes.size; i++)
    al_jw_int(w, (unsigned char)token->bytes.data[i]);
  al_jw_end(w);
}

static void write_token(struct al_json_writer *w, const struct al_text_token *token)
{
  al_jw_object(w);
  write_common(w, &token->chosen);
  al_jw_key(w, "top_logprobs");
  al_jw_array(w);
  for (size_t i = 0; i < token->n_top; i++) {
    al_jw_object(w);
    write_common(w, &token->top[i]);
    al_jw_end(w);
  }
  al_jw_end(w);
  al_jw_end(w);
}

void al_api_logprobs_append(struct al_buf *out, const struct al_text_token *tokens, size_t n_tokens)
{
  for (size_t i = 0; i < n_tokens; i++) {
    if (out->size > 0)
      al_buf_char(out, ',');
    struct al_json_writer w = al_json_writer(out);
    write_token(&w, &tokens[i]);
  }
}
