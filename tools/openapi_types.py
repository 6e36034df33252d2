"""What the server's tables do not say: types of structured parameters, endpoints, answers."""


def string():
    return {"type": "string"}


def integer():
    return {"type": "integer"}


def number():
    return {"type": "number"}


def boolean():
    return {"type": "boolean"}


def array(items):
    return {"type": "array", "items": items}


def nullable(schema):
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def record(required, **optional):
    """An object with these members and perhaps others."""
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


OBJECT = {"type": "object"}
TEXT_OR_PARTS = {"anyOf": [string(), array(OBJECT)]}
TOKENS = array(integer())

# By name, or by "file.name" where a name means different things.
PARAMETERS = {
    "messages": array(ref("Message")), "anthropic_params.messages": array(OBJECT), "ollama_chat.messages": array(OBJECT),
    "n": integer(), "seed": integer(), "stop": {"anyOf": [string(), array(string())]}, "stop_sequences": array(string()),
    "logit_bias": {"type": "object", "additionalProperties": number()},
    "metadata": {"type": "object", "additionalProperties": string()},
    "stream_options": OBJECT, "chat_template_kwargs": OBJECT, "grammar": string(), "lora": array(ref("Lora")),
    "reasoning_format": {"enum": ["auto", "none"]}, "reasoning_effort": string(),
    "tools": array(OBJECT), "tool_choice": {"anyOf": [string(), OBJECT]}, "response_format": OBJECT,
    "json_schema": {}, "functions": array(OBJECT), "function_call": {}, "modalities": array({"const": "text"}),
    "logprobs": boolean(), "completions.logprobs": integer(), "top_logprobs": integer(), "store": boolean(),
    "max_tokens": integer(), "verbosity": string(),
    "prompt": {"anyOf": [string(), array({"anyOf": [string(), integer(), TOKENS]})]}, "suffix": string(),
    "ollama_chat.prompt": string(), "tokens.prompt": string(),
    "input": {"anyOf": [string(), array({"anyOf": [string(), integer(), TOKENS]})]},
    "response_request.input": {"anyOf": [string(), array(OBJECT)]}, "instructions": string(),
    "previous_response_id": string(), "truncation": {"enum": ["auto", "disabled"]}, "text": OBJECT, "reasoning": OBJECT,
    "include": array(string()), "encoding_format": {"enum": ["float", "base64"]},
    "query": string(), "documents": array({"anyOf": [string(), record({"text": string()})]}),
    "content": string(), "tokens.tokens": TOKENS, "tokens": TOKENS,
    "system": TEXT_OR_PARTS, "ollama_chat.system": string(), "thinking": OBJECT, "output_config": OBJECT,
    "output_format": OBJECT, "context_management": OBJECT, "cache_control": OBJECT, "options": OBJECT, "format": {"anyOf": [string(), OBJECT]},
    "think": {"anyOf": [boolean(), {"enum": ["low", "medium", "high"]}]}, "keep_alive": {"anyOf": [string(), number()]},
    "images": {"type": "array", "maxItems": 0},
    "audio_transcription.response_format": {"enum": ["json", "text", "srt", "verbose_json", "vtt"]},
    "audio_transcription.prompt": string(), "timestamp_granularities": array({"enum": ["word", "segment"]}),
    "audio_speech.input": {"type": "string", "minLength": 1, "maxLength": 100000},
    "voice": {"anyOf": [string(), record({"id": string()})]},
    "audio_speech.response_format": {"enum": ["mp3", "opus", "aac", "flac", "wav", "pcm"]},
    "stream_format": {"enum": ["audio", "sse"]},
}

COMPONENTS = {
    "Message": record({"role": {"enum": ["system", "developer", "user", "assistant", "tool"]}},
                      content=nullable(TEXT_OR_PARTS), name=string(), tool_calls=array(OBJECT), tool_call_id=string(),
                      reasoning_content=nullable(string())),
    "Lora": record({"model": string()}, scale=number()),
    "Usage": record({"prompt_tokens": integer(), "total_tokens": integer()}, completion_tokens=integer(),
                    prompt_tokens_details=record({"cached_tokens": integer()}),
                    completion_tokens_details=record({"reasoning_tokens": integer()})),
    "Logprob": record({"token": string(), "logprob": number(), "bytes": nullable(array(integer()))},
                      top_logprobs=array(record({"token": string(), "logprob": number(),
                                                 "bytes": nullable(array(integer()))}))),
    "ToolCall": record({"id": string(), "type": {"const": "function"},
                        "function": record({"name": string(), "arguments": string()})}),
}

NAMED = {"created_at": string(), "model": string(), "done": boolean()}
DURATIONS = {name: integer() for name in ("total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration",
                                          "eval_count", "eval_duration")}
MODEL_DETAILS = record({"format": string(), "family": string(), "families": array(string()), "parameter_size": string(),
                        "quantization_level": string(), "parent_model": string()})
NULLABLE_STRING, NULLABLE_NUMBER = nullable(string()), nullable(number())

ANSWERS = {
    "Error": record({"error": record({"message": string(), "type": string(), "param": NULLABLE_STRING,
                                      "code": NULLABLE_STRING})}),
    "OllamaError": record({"error": string()}),
    "AnthropicError": record({"type": {"const": "error"}, "error": record({"type": string(), "message": string()})}),
    "ChatCompletion": record({
        "id": string(), "object": {"const": "chat.completion"}, "created": integer(), "model": string(),
        "choices": array(record({
            "index": integer(), "finish_reason": {"enum": ["stop", "length", "tool_calls"]},
            "logprobs": nullable(record({"content": nullable(array(ref("Logprob")))})),
            "message": record({"role": {"const": "assistant"}, "content": NULLABLE_STRING, "refusal": NULLABLE_STRING},
                              reasoning_content=string(), tool_calls=array(ref("ToolCall")))})),
        "usage": ref("Usage")}, system_fingerprint=string(), service_tier=string(), timings=OBJECT),
    "Completion": record({
        "id": string(), "object": {"const": "text_completion"}, "created": integer(), "model": string(),
        "choices": array(record({"index": integer(), "text": string(), "finish_reason": {"enum": ["stop", "length"]},
                                 "logprobs": nullable(OBJECT)})),
        "usage": ref("Usage")}),
    "Transcription": record(
        {"text": string(), "usage": record({"type": {"const": "duration"}, "seconds": integer()})},
        task={"enum": ["transcribe", "translate"]}, language=string(), duration=number(),
        segments=array(record({"id": integer(), "seek": integer(), "start": number(), "end": number(), "text": string(),
                               "tokens": TOKENS, "temperature": number(), "avg_logprob": number(),
                               "compression_ratio": number(), "no_speech_prob": number()})),
        words=array(record({"word": string(), "start": number(), "end": number()}))),
    "Voices": record({"object": {"const": "list"}, "model": string(), "data": array(record(
        {"id": string(), "object": {"const": "voice"}, "name": string(), "language": string(), "gender": string()}))}),
    "Response": record({
        "id": string(), "object": {"const": "response"}, "created_at": integer(), "completed_at": nullable(integer()),
        "status": {"enum": ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]},
        "incomplete_details": nullable(OBJECT), "model": string(), "previous_response_id": NULLABLE_STRING,
        "instructions": NULLABLE_STRING, "output": array(record({"type": string(), "id": string()})),
        "error": nullable(OBJECT), "tools": array(OBJECT), "tool_choice": {"anyOf": [string(), OBJECT]},
        "truncation": {"enum": ["auto", "disabled"]}, "parallel_tool_calls": boolean(), "text": OBJECT, "top_p": number(),
        "presence_penalty": number(), "frequency_penalty": number(), "top_logprobs": integer(), "temperature": number(),
        "reasoning": nullable(OBJECT), "user": NULLABLE_STRING, "usage": nullable(OBJECT),
        "max_output_tokens": nullable(integer()), "max_tool_calls": nullable(integer()), "store": boolean(),
        "background": boolean(), "service_tier": string(), "metadata": nullable(OBJECT),
        "safety_identifier": NULLABLE_STRING, "prompt_cache_key": NULLABLE_STRING}),
    "ResponseDeleted": record({"id": string(), "object": string(), "deleted": {"const": True}}),
    "ResponseItems": record({"object": {"const": "list"}, "data": array(OBJECT), "first_id": NULLABLE_STRING,
                             "last_id": NULLABLE_STRING, "has_more": boolean()}),
    "InputTokens": record({"object": {"const": "response.input_tokens"}, "input_tokens": integer()}),
    "CompactedResponse": record({"id": string(), "object": {"const": "response.compaction"}, "created_at": integer(),
                                 "output": array(OBJECT), "usage": OBJECT}),
    "AnthropicMessage": record({
        "id": string(), "type": {"const": "message"}, "role": {"const": "assistant"}, "model": string(),
        "content": array(record({"type": {"enum": ["text", "thinking", "tool_use"]}})), "stop_reason": NULLABLE_STRING,
        "stop_sequence": NULLABLE_STRING, "usage": record({"input_tokens": integer(), "output_tokens": integer()})}),
    "AnthropicCount": record({"input_tokens": integer()}),
    "Embeddings": record({
        "object": {"const": "list"}, "model": string(), "usage": ref("Usage"),
        "data": array(record({"object": {"const": "embedding"}, "index": integer(),
                              "embedding": {"anyOf": [array(number()), string()]}}))}),
    "Ranking": record({
        "object": {"const": "list"}, "model": string(), "usage": ref("Usage"),
        "results": array(record({"index": integer(), "relevance_score": number()}, document=record({"text": string()})))}),
    "Tokens": record({"tokens": array({"anyOf": [integer(), record({"id": integer(), "piece": {
        "anyOf": [string(), TOKENS]}})]}), "count": integer(), "max_model_len": integer()}),
    "Detokenized": record({"content": string()}),
    "Prompt": record({"prompt": string()}),
    "Model": record({"id": string(), "object": {"const": "model"}, "created": integer(), "owned_by": string(),
                     "context_length": nullable(integer()), "type": string(), "format": string(), "architecture": string(),
                     "quantization": string(), "parameters": integer(), "size_bytes": integer(), "state": string(),
                     "capabilities": array(string())}),
    "Models": record({"object": {"const": "list"}, "data": array(ref("Model"))}),
    "Health": record({"status": string()}),
    "Status": record({"version": string(), "state": string(), "uptime_s": number(), "machine": OBJECT, "process": OBJECT,
                      "connections": nullable(OBJECT), "models": array(record({"id": string(), "state": string()}))}),
    "Document": record({"openapi": string(), "info": OBJECT, "paths": OBJECT, "components": OBJECT}),
    "Lifecycle": record({"model": string(), "state": string(), "ms": number()}),
    "OllamaChat": record({**NAMED, "message": record({"role": {"const": "assistant"}, "content": string()},
                                                    thinking=string(), tool_calls=array(OBJECT))},
                         done_reason=string(), logprobs=array(ref("Logprob")), **DURATIONS),
    "OllamaGenerate": record({**NAMED, "response": string()}, thinking=string(), done_reason=string(),
                             logprobs=array(ref("Logprob")), **DURATIONS),
    "OllamaEmbed": record({"model": string(), "embeddings": array(array(number())), "total_duration": integer(),
                           "prompt_eval_count": integer()}),
    "OllamaShow": record({"details": MODEL_DETAILS, "model_info": OBJECT, "capabilities": array(string()),
                          "modified_at": string()}),
    "OllamaModels": record({"models": array(record({"name": string(), "model": string(), "size": integer(),
                                                    "details": MODEL_DETAILS}))}),
    "OllamaVersion": record({"version": string()}),
}

SSE, LINES = "text/event-stream", "application/x-ndjson"
TEXT = "text_params.shared"
OLLAMA = {"error": "OllamaError", "required": ["model"]}
MODEL = ["model"]

# None: not a request and its answer (the WebSocket, which docs/api.md describes).
SUBTITLES = ["text/plain", "application/x-subrip", "text/vtt"]
ENDPOINTS = {
    "post /v1/chat/completions": {"summary": "OpenAI's Chat Completions", "tables": ["chat.own", TEXT],
                                  "required": ["model", "messages"], "answer": "ChatCompletion", "stream": SSE},
    "post /v1/responses": {"summary": "OpenAI's Responses", "answer": "Response", "stream": SSE, "required": MODEL,
                           "tables": ["response_request.conversation", "response_request.forms", "response_request.own",
                                      TEXT]},
    "get /v1/responses": None,
    "post /v1/responses/input_tokens": {"summary": "What a request would take", "answer": "InputTokens", "required": MODEL,
                                        "tables": ["response_request.conversation", "response_request.forms",
                                                   "response_request.count_own"]},
    "post /v1/responses/compact": {"summary": "A conversation as one item", "answer": "CompactedResponse",
                                   "required": MODEL, "tables": ["response_request.conversation",
                                                                 "response_request.compact_own"]},
    "get /v1/responses/{id}": {"summary": "A stored response", "answer": "Response", "stream": SSE,
                               "query": {"stream": boolean(), "starting_after": integer(), "include": string()}},
    "delete /v1/responses/{id}": {"summary": "Forgets a stored response", "answer": "ResponseDeleted"},
    "get /v1/responses/{id}/input_items": {"summary": "What a stored response was asked", "answer": "ResponseItems",
                                           "query": {"limit": integer(), "order": {"enum": ["asc", "desc"]},
                                                     "after": string()}},
    "post /v1/responses/{id}/cancel": {"summary": "Ends a background response", "answer": "Response"},
    "post /v1/completions": {"summary": "OpenAI's legacy Completions", "tables": ["completions.own", TEXT],
                             "required": ["model", "prompt"], "answer": "Completion", "stream": SSE},
    "post /v1/messages": {"summary": "Anthropic's Messages", "error": "AnthropicError", "answer": "AnthropicMessage",
                          "tables": ["anthropic_params.conversation", "anthropic_params.sampling", TEXT], "stream": SSE,
                          "required": ["model", "messages", "max_tokens"]},
    "post /v1/messages/count_tokens": {"summary": "What a message would take", "error": "AnthropicError",
                                       "answer": "AnthropicCount", "tables": ["anthropic_params.conversation"],
                                       "required": ["model", "messages"]},
    "post /v1/embeddings": {"summary": "Vectors of texts", "tables": ["embeddings.openai_params"],
                            "required": ["model", "input"], "answer": "Embeddings"},
    "post /v1/rerank": {"summary": "Documents by their relevance to a query", "tables": ["rerank.params"],
                        "required": ["model", "query", "documents"], "answer": "Ranking"},
    "post /v1/audio/transcriptions": {
        "summary": "Speech to text", "answer": "Transcription", "required": ["file", "model"], "form": ["file"],
        "tables": ["audio_transcription.shared_params", "audio_transcription.transcription_params"], "stream": SSE,
        "also": SUBTITLES},
    "post /v1/audio/translations": {
        "summary": "Speech to English text", "answer": "Transcription", "required": ["file", "model"], "form": ["file"],
        "tables": ["audio_transcription.shared_params"], "stream": SSE, "also": SUBTITLES},
    "post /v1/audio/speech": {
        "summary": "Text to speech", "answer": None, "required": ["model", "input"], "tables": ["audio_speech.params"],
        "stream": SSE, "also": ["audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", "audio/pcm"]},
    "get /v1/audio/voices": {"summary": "The voices of a model that speaks", "answer": "Voices",
                             "query": {"model": string()}},
    "post /tokenize": {"summary": "Text to tokens", "tables": ["tokens.tokenize_params"], "required": [],
                       "answer": "Tokens"},
    "post /detokenize": {"summary": "Tokens to text", "tables": ["tokens.detokenize_params"], "required": ["tokens"],
                         "answer": "Detokenized"},
    "post /apply-template": {"summary": "The prompt that a conversation becomes", "answer": "Prompt",
                             "tables": ["tokens.template_params", TEXT], "required": ["messages"]},
    "post /api/chat": {"summary": "Ollama's chat", "tables": ["ollama_chat.chat_params", "ollama_params.shared"],
                       "answer": "OllamaChat", "stream": LINES, **OLLAMA},
    "post /api/generate": {"summary": "Ollama's generate", "stream": LINES, "answer": "OllamaGenerate",
                           "tables": ["ollama_chat.generate_params", "ollama_params.shared"], **OLLAMA},
    "post /api/embed": {"summary": "Ollama's embed", "tables": ["embeddings.ollama_params"], "answer": "OllamaEmbed",
                        **OLLAMA},
    "post /api/show": {"summary": "What a model is", "tables": ["ollama_models.show_params"], "answer": "OllamaShow",
                       "error": "OllamaError", "required": []},
    "get /api/tags": {"summary": "Ollama's list of models", "answer": "OllamaModels", "error": "OllamaError"},
    "get /api/ps": {"summary": "Models in memory", "answer": "OllamaModels", "error": "OllamaError"},
    "get /api/version": {"summary": "The server's version", "answer": "OllamaVersion", "error": "OllamaError"},
    "get /v1/models": {"summary": "The models that can run here now", "answer": "Models"},
    "get /v1/models/{id}": {"summary": "One model", "answer": "Model"},
    "get /health": {"summary": "Does the server live?", "answer": "Health"},
    "get /health/live": {"summary": "Does the server live?", "answer": "Health"},
    "get /health/ready": {"summary": "Does it take requests?", "answer": "Health"},
    "get /status": {"summary": "Machine, connections, models", "answer": "Status"},
    "get /openapi.json": {"summary": "This document", "answer": "Document"},
    "post /load": {"summary": "Loads a model", "tables": ["lifecycle.params"], "required": MODEL, "answer": "Lifecycle"},
    "post /unload": {"summary": "Unloads a model", "tables": ["lifecycle.params"], "required": MODEL,
                     "answer": "Lifecycle"},
}
