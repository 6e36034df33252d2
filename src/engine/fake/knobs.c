#include "engine/fake/fake.h"

const char al_fake_chatml[] =
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}"
    "Call with <tool_call>{\"name\": ..., \"arguments\": ...}</tool_call><|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content or '' }}"
    "{% for call in message.tool_calls %}<tool_call>\n{{ call.function | tojson }}\n</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

struct al_fake_knobs al_fake_knobs = { .chat_template = al_fake_chatml };
struct al_fake_counts al_fake_counts;

void al_fake_reset(void)
{
  al_fake_knobs.load_ns = 0;
  al_fake_knobs.load_code = AL_OK;
  al_fake_knobs.kv_capacity = 0;
  al_fake_knobs.chat_template = al_fake_chatml;
  al_fake_knobs.add_bos = false;
  al_fake_knobs.no_fim = false;
  al_fake_knobs.weights_bytes = 0;
  al_fake_knobs.decode_ns = 0;
  al_fake_knobs.fail_decode_at = 0;
  al_fake_knobs.fail_decode_code = AL_OK;
  al_fake_knobs.abort_decode_at = 0;
  al_fake_knobs.poison = 0;
  al_fake_knobs.no_adapter_use = false;
  al_fake_knobs.no_partial_remove = false;
  al_fake_knobs.never_ends = false;
  al_fake_knobs.script = nullptr;
  al_fake_knobs.hear_ns = 0;
  al_fake_knobs.speak_ns = 0;
  al_fake_knobs.fail_segment_at = 0;
  al_fake_knobs.fail_letter_at = 0;
  al_fake_knobs.abort_segment_at = 0;
  al_fake_knobs.samples_asked = 0;
  al_fake_knobs.step_ns = 0;
  al_fake_knobs.fail_step_at = 0;
  al_fake_knobs.abort_step_at = 0;
  al_fake_counts.n_loads = 0;
  al_fake_counts.n_unloads = 0;
  al_fake_counts.n_decodes = 0;
  al_fake_counts.n_items = 0;
  al_fake_counts.most_sequences_in_a_decode = 0;
  al_fake_counts.most_cells_used = 0;
  al_fake_counts.n_embeds = 0;
  al_fake_counts.n_adapters = 0;
  al_fake_counts.n_adapter_uses = 0;
  al_fake_counts.n_transcriptions = 0;
  al_fake_counts.n_samples_heard = 0;
  al_fake_counts.n_speeches = 0;
  al_fake_counts.n_samples_spoken = 0;
  al_fake_counts.n_drawings = 0;
  al_fake_counts.n_steps = 0;
  al_fake_counts.n_pictures = 0;
}
