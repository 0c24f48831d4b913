/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/failure.h"

struct failure failure_of(const struct manifest *manifest, const struct record *record,
                          const char *host, const char *why, int64_t at_ms)
{
    struct failure failure = {
        .host = host,
        .why = why,
        .at_ms = at_ms,
        .wave = -1,
        .stage = record->stages_done,
        .wave_name = "",
        .wave_budget = -1,
    };

    if (record->wave >= 0 && record->wave < manifest->waves_count &&
        record->stages_done < manifest->spec->stages_count) {
        const struct wave_entry *wave = &manifest->waves[record->wave];

        failure.wave = record->wave;
        failure.wave_name = wave->name;
        failure.wave_budget = spec_max_failed_wave(manifest->spec, wave->size);
        /* A repair that succeeds arrives nowhere: what is in a row cannot be told. */
        failure.streak_budget = record->drift == RECORD_REPAIRING
                                    ? 0
                                    : manifest->spec->max_failed_consecutive;
    }
    return failure;
}
