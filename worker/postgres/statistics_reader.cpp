#include "worker/postgres/statistics_reader.hpp"

#include "core/file.hpp"
#include "engines/postgres/admin.hpp"
#include "pki/certificate.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::seconds kAge{10}, kAgeMeanwhile{60};
constexpr std::chrono::milliseconds kOpen{500}, kRead{1500};

}  // namespace

std::optional<postgres::Statistics> StatisticsReader::known(std::chrono::seconds age) const {
  MutexLock lock(mutex_);
  if (latest_ && clock_.boot_now() - read_at_ < age) return latest_;
  return std::nullopt;
}

std::optional<postgres::Statistics> StatisticsReader::read() {
  if (auto fresh = known(kAge)) return fresh;
  if (!reading_.try_lock()) return known(kAgeMeanwhile);
  const MutexLock reading(reading_, std::adopt_lock);
  auto session = postgres::open_local(layout_, port_, kOpen);
  if (!session) return std::nullopt;
  auto statistics = postgres::read_statistics(*session, kRead);
  if (!statistics) return std::nullopt;
  MutexLock lock(mutex_);
  latest_ = *statistics;
  read_at_ = clock_.boot_now();
  return latest_;
}

std::optional<double> certificate_ends_at(const postgres::Layout& layout) {
  const auto pem = read_file(layout.tls_dir + "/tls.crt");
  if (!pem) return std::nullopt;
  const auto facts = pki::inspect(*pem);
  if (!facts) return std::nullopt;
  return std::chrono::duration<double>(facts->not_after.time_since_epoch()).count();
}

}  // namespace twinspan::worker
