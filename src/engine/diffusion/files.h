/* The weight files of a model, open for positioned reads: the parts of a Diffusers directory (each one or several
 * safetensors files), or a single checkpoint that holds all parts (safetensors, GGUF). Immutable once open. */
#ifndef AL_ENGINE_DIFFUSION_FILES_H
#define AL_ENGINE_DIFFUSION_FILES_H

#include "base/err.h"
#include "base/str.h"

#include <ggml.h>
#include <stdint.h>

enum al_sd_part { AL_SD_UNET, AL_SD_VAE, AL_SD_TEXT, AL_SD_TEXT_2 };
constexpr int AL_SD_N_PARTS = 4;

const char *al_sd_part_folder(enum al_sd_part part); /* "unet"; static */

struct al_sd_stored { /* a tensor as a file has it */
  size_t file;
  enum ggml_type type;
  int n_dims;
  int64_t shape[4]; /* outermost first; 1 beyond n_dims */
  uint64_t offset_bytes, size_bytes;
};

struct al_sd_files;

/* Of a part with an F16 variant beside the full one ("model.fp16.safetensors"), `half` says which is opened when both
 * are there. AL_MODEL_CORRUPT names the file that is missing or damaged. */
enum al_code al_sd_files_open_directory(const char *directory, int n_texts, bool half, struct al_sd_files **files,
                                        struct al_err *err);
enum al_code al_sd_files_open_single(const char *path, struct al_sd_files **files, struct al_err *err);
void al_sd_files_close(struct al_sd_files *files); /* accepts nullptr */
AL_DEFINE_CLEANUP(struct al_sd_files, al_sd_files_close)

bool al_sd_files_is_single(const struct al_sd_files *files);
/* In a single checkpoint the part does not matter. False when absent, or of a type or rank that no weight has. */
bool al_sd_files_find(const struct al_sd_files *files, enum al_sd_part part, const char *name,
                      struct al_sd_stored *stored);
const char *al_sd_files_name(const struct al_sd_files *files, size_t file); /* without the directory; borrowed */

/* Exactly `size` bytes from `offset` of the tensor's data; the range lies inside it. */
enum al_code al_sd_files_read(const struct al_sd_files *files, const struct al_sd_stored *stored, uint64_t offset,
                              void *bytes, size_t size, struct al_err *err);

#endif
