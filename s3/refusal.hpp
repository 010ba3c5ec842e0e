// What a refusal means to the caller, and what the client does about it before it tells.
#pragma once
#include <string>

#include "s3/answer.hpp"

namespace twinspan::s3 {

// `status` 0: of one key within a batch. Without a body the status alone decides ("Error responses", Amazon S3 API
// Reference).
Error to_error(int status, const Refusal& refusal);

enum class Remedy {
  kNone,         // it would be refused again
  kRepeat,       // after a while
  kCorrectTime,  // the signature's time is off: by the answer's Date header
  kCredentials,  // they are to be read anew
};
Remedy remedy_of(int status, const Refusal& refusal);

}  // namespace twinspan::s3
