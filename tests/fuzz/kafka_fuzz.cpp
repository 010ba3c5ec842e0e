// libFuzzer: whatever bytes a broker sends, kafka/ reads them within bounds; what it could read it writes so that the
// same is read again; no batch with a wrong checksum gets a right one; and what is unpacked is no larger than allowed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "kafka/batch.hpp"
#include "kafka/codec.hpp"
#include "kafka/messages.hpp"
#include "kafka/records.hpp"

namespace {

using namespace twinspan::kafka;

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

template <class Message>
void message(std::string_view bytes, int version) {
  Reader in(bytes);
  Message first;
  first.decode(in, version);
  if (in.failed()) return;
  std::string once, again;
  Writer out(once), out_again(again);
  first.encode(out, version);
  Reader in_again(once);
  Message second;
  second.decode(in_again, version);
  if (in_again.failed() || in_again.left() != 0) broken("what was written cannot be read");
  second.encode(out_again, version);
  if (once != again) broken("another message");
}

template <class... Requests>
struct Every {
  static void choose(unsigned which, unsigned version, std::string_view bytes) {
    unsigned number = 0;
    const auto one = [&]<class Request>(Request) {
      const int chosen = Request::kApi.min + static_cast<int>(version) % (Request::kApi.max - Request::kApi.min + 1);
      if (number++ == which % (2 * sizeof...(Requests))) message<Request>(bytes, chosen);
      if (number++ == which % (2 * sizeof...(Requests))) message<typename Request::Answer>(bytes, chosen);
    };
    (one(Requests{}), ...);
  }
};

constexpr size_t kMost = 1 << 20;

void unpacked(int codec, std::string_view bytes) {
  static Unpacker unpacker, again;
  static Packer packer;
  std::string_view body, same;
  if (unpacker.unpack(codec, bytes, kMost, body) != Unpacker::Found::kDone) return;
  if (body.size() > kMost) broken("more than allowed");
  std::string packed;
  packer.pack(codec, body, packed);
  if (again.unpack(codec, packed, kMost, same) != Unpacker::Found::kDone && !body.empty())
    broken("what was packed cannot be unpacked");
  if (same != body) broken("another body");
}

void batches(std::string bytes) {
  static Unpacker unpacker;
  Batches all(bytes);
  while (all.next() == Batches::Found::kBatch) {
    const std::string_view batch(all.bytes().data(), all.bytes().size());
    const bool right = crc_is_right(batch);
    std::string_view body;
    if (unpacker.unpack(all.head().codec(), batch.substr(kBatchHeadBytes), kMost, body) != Unpacker::Found::kDone)
      body = {};
    Records records(all.head(), body);
    BatchBuilder builder;
    while (const Record* record = records.next()) builder.add(*record);
    if (!records.failed() && builder.count() != all.head().count) broken("another number of records");
    mark(all.bytes(), {.id = 1, .epoch = 2, .sequence = 3, .transactional = true});
    if (crc_is_right(batch) != right) broken("a checksum that was wrong and is right, or the other way round");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[0] == 0) {
    batches(std::string(bytes));
  } else if (data[0] == 255) {
    unpacked(data[1] % 5, bytes);
  } else {
    EveryRequest<Every>::choose(data[0] - 1u, data[1], bytes);
  }
  return 0;
}
