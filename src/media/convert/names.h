/* Which containers and encodings are opened at all: FFmpeg's names. No playlists, no subtitles, no video. */
#ifndef AL_MEDIA_CONVERT_NAMES_H
#define AL_MEDIA_CONVERT_NAMES_H

extern const char names_of_containers[]; /* comma-separated, as FFmpeg's white lists want them */
extern const char names_of_decoders[];

#endif
