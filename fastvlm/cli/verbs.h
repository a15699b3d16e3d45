// The list of verbs. Each is made by one file, which is named like it.
#pragma once

#include "fastvlm/cli/verb.h"

namespace fastvlm::cli {

Verb export_verb(CommonArguments& common);
Verb plan_verb(CommonArguments& common);
Verb calibrate_verb(CommonArguments& common);
Verb quantize_verb(CommonArguments& common);
Verb inspect_verb(CommonArguments& common);
Verb verify_verb(CommonArguments& common);
Verb compile_verb(CommonArguments& common);
Verb bundle_verb(CommonArguments& common);
Verb selftest_verb(CommonArguments& common);
Verb chat_verb(CommonArguments& common);
Verb evaluate_verb(CommonArguments& common);
Verb merge_verb(CommonArguments& common);
Verb report_verb(CommonArguments& common);
Verb diff_verb(CommonArguments& common);
Verb make_checkpoint_verb(CommonArguments& common);
Verb doctor_verb(CommonArguments& common);
Verb check_ops_verb(CommonArguments& common);
Verb preprocess_verb(CommonArguments& common);
Verb tokenize_verb(CommonArguments& common);
Verb completion_verb(CommonArguments& common);
Verb man_verb(CommonArguments& common);

// In the order of --help.
inline constexpr Verb (*kVerbs[])(CommonArguments& common) = {
    export_verb,          plan_verb,     calibrate_verb, quantize_verb,   inspect_verb,  verify_verb,     compile_verb,
    bundle_verb,          selftest_verb, chat_verb,      evaluate_verb,   merge_verb,    report_verb,     diff_verb,
    make_checkpoint_verb, doctor_verb,   check_ops_verb, preprocess_verb, tokenize_verb, completion_verb, man_verb,
};

}  // namespace fastvlm::cli
