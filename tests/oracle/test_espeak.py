#!/usr/bin/python3
"""Our speech against the program espeak-ng: test_espeak.py --probe PROBE

One sentence, whatever the language, variant and rate: the same samples, each one (variants with a breath, as
+f3, are left out: espeak-ng itself does not make the same noise twice). Every voice that espeak-ng lists is
ours, and speaks the same. Longer texts, which we cut: the same length within two percent. Speeds: the ratio that was
asked for within 15 percent.
"""
import argparse
import array
import os
import subprocess
import sys
import tempfile

SENTENCES = {
    'en-us': 'The quick brown fox jumps over 13 lazy dogs.',
    'en-gb': 'Have you seen my other umbrella, or has it gone?',
    'de': 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.',
    'fr-fr': "Portez ce vieux whisky au juge blond qui fume.",
    'es': '¿Dónde está la biblioteca, señor García?',
    'it': 'Ma la volpe, col suo balzo, ha raggiunto il quieto Fido!',
    'pl': 'Pchnąć w tę łódź jeża lub ośm skrzyń fig.',
    'ru': 'Съешь же ещё этих мягких французских булок.',
    'cmn': '今天的天气很好。',
    'ja': 'きょうはいいてんきですね。',
    'hi': 'आज मौसम बहुत अच्छा है।',
    'ar': 'الطقس جميل اليوم.',
}
VARIANTS = ['', '+f1', '+f4', '+m2', '+m7', '+klatt', '+m5', '+croak', '+anika', '+Andy']
FILES = {'en-gb': 'en', 'fr-fr': 'fr'}  # espeak-ng takes a variant only beside a file's name, and drops it otherwise
RATES = [90, 130, 175, 280]  # what lies beyond is done by libsonic
SPEEDS = [0.25, 0.5, 0.75, 1.5, 2, 3, 4]


def ours(probe, voice, speed, text):
    result = subprocess.run([probe, voice, repr(speed), text], capture_output=True)
    if result.returncode != 0:
        raise SystemExit(f'{voice}: {result.stderr.decode()}')
    return array.array('h', result.stdout)


def theirs(voice, rate, text, directory):
    path, source = os.path.join(directory, 'speech.wav'), os.path.join(directory, 'text')
    with open(source, 'w', encoding='utf-8') as file:
        file.write(text)
    subprocess.run(['espeak-ng', '-v', voice, '-s', str(rate), '-w', path, '-f', source], check=True, capture_output=True)
    with open(path, 'rb') as file:
        return array.array('h', file.read()[44:])


def same(probe, voice, rate, text, directory, file=None):
    base, plus, variant = voice.partition('+')
    name = file or FILES.get(base, base) + plus + variant
    samples = ours(probe, voice, rate / 175, text)
    other = theirs(name, rate, text, directory)
    if samples != other:
        print(f'differs: {voice} at {rate}: {len(samples)} samples, {len(other)} expected')
    return samples == other


def compare_sentences(probe, directory):
    wrong = n = 0
    for language, text in SENTENCES.items():
        for variant in VARIANTS:
            for rate in RATES:
                n += 1
                wrong += not same(probe, language + variant, rate, text, directory)
    print(f'sentences: {n - wrong} of {n} the same, sample for sample')
    return wrong


def listed_by_espeak():
    """Our ids to the names of espeak-ng's files; a second voice of a language is named after its file."""
    lines = subprocess.run(['espeak-ng', '--voices'], capture_output=True, text=True, check=True).stdout.splitlines()
    files = {}
    for _, language, _, _, file, *_ in map(str.split, lines[1:]):
        voice = language.lower()
        files[voice if voice not in files else file.rpartition('/')[2].lower()] = file
    return files


def compare_voices(probe, directory):
    lines = subprocess.run([probe, '--voices'], capture_output=True, text=True, check=True).stdout.splitlines()
    mine, files = {line.split()[0] for line in lines}, listed_by_espeak()
    wrong = 0
    if mine != files.keys():
        wrong += 1
        print('voices of one only:', *sorted(mine ^ files.keys()))
    for voice in sorted(mine & files.keys()):
        wrong += not same(probe, voice, 175, 'Hello 12, yes.', directory, files[voice])
    print(f'voices: {len(mine)}, {wrong} wrong')
    return wrong


def compare_long(probe, directory):
    wrong = 0
    for language, text in SENTENCES.items():
        long_text = ' '.join([text] * 40)
        ratio = len(ours(probe, language, 1, long_text)) / len(theirs(language, 175, long_text, directory))
        if not 0.98 < ratio < 1.02:
            wrong += 1
            print(f'long text of {language}: {ratio:.3f} of the length')
    print(f'long texts: {len(SENTENCES) - wrong} of {len(SENTENCES)} as long')
    return wrong


def measure_speeds(probe):
    wrong = 0
    for language, text in SENTENCES.items():
        normal = len(ours(probe, language, 1, text))
        made = [normal / len(ours(probe, language, speed, text)) for speed in SPEEDS]
        print(f'{language}: ' + ', '.join(f'{speed:g}: {ratio:.2f}' for speed, ratio in zip(SPEEDS, made)))
        wrong += sum(not 0.85 < ratio / speed < 1.15 for speed, ratio in zip(SPEEDS, made))
    print(f'speeds: {wrong} of {len(SENTENCES) * len(SPEEDS)} off by more than 15 %')
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--probe', required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        wrong = compare_sentences(arguments.probe, directory)
        wrong += compare_voices(arguments.probe, directory)
        wrong += compare_long(arguments.probe, directory)
    wrong += measure_speeds(arguments.probe)
    sys.exit(wrong != 0)


if __name__ == '__main__':
    main()
