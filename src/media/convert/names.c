#include "media/convert/names.h"

const char names_of_containers[] = "wav,w64,aiff,au,caf,flac,mp3,ogg,mov,matroska,aac,ac3,eac3,amr,amrnb,amrwb,asf,avi,"
                                   "flv,mpeg,mpegts,loas,ape,wv,tta,sox,voc,dts,truehd";

const char names_of_decoders[] =
    "libopus,aac,aac_latm,ac3,eac3,alac,amrnb,amrwb,ape,dca,flac,mlp,truehd,mp1float,mp2float,mp3float,mp3,mp2,mp1,"
    "mp3adufloat,"
    "nellymoser,opus,speex,tta,vorbis,wavpack,wmav1,wmav2,wmapro,wmalossless,wmavoice,gsm,gsm_ms,ilbc,g722,g726,g726le,"
    "adpcm_ima_wav,adpcm_ima_qt,adpcm_ms,adpcm_swf,adpcm_yamaha,pcm_alaw,pcm_mulaw,pcm_f16le,pcm_f24le,pcm_f32be,"
    "pcm_f32le,pcm_f64be,pcm_f64le,pcm_s16be,pcm_s16be_planar,pcm_s16le,pcm_s16le_planar,pcm_s24be,pcm_s24le,"
    "pcm_s24le_planar,pcm_s32be,pcm_s32le,pcm_s32le_planar,pcm_s64be,pcm_s64le,pcm_s8,pcm_s8_planar,pcm_u8,pcm_u16be,"
    "pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,pcm_u32le,pcm_bluray,pcm_dvd";
