/* The file that is decoded: a range of descriptor 3, opened as the one of FFmpeg's containers that it is. */
#ifndef AL_MEDIA_CONVERT_INPUT_H
#define AL_MEDIA_CONVERT_INPUT_H

#include "media/convert/convert.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

struct input {
  uint64_t offset, size_bytes, at; /* the range, and where in it reading goes on */
  bool failed;                     /* a read failed: the file is shorter than its range, or the disk says no */
  AVFormatContext *container;
  AVCodecContext *decoder;
  int stream; /* the index of the one that is decoded */
};

/* Ends the process with a frame that says why when the file cannot be opened. */
void input_open(struct input *input, const struct convert_decode *job);

#endif
