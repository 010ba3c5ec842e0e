// What every transfer of a link shares.
#pragma once
#include <atomic>
#include <set>
#include <string>

#include "core/guarded.hpp"
#include "engines/s3/buffers.hpp"
#include "engines/s3/folding.hpp"
#include "engines/s3/pace.hpp"
#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

// Storage classes that a target does not have: copies get its usual one.
class LackingClasses {
 public:
  bool lacks(const std::string& name) const {
    MutexLock lock(mutex_);
    return names_.contains(name);
  }
  // False: it is known already, or none.
  bool note(const std::string& name) {
    MutexLock lock(mutex_);
    return !name.empty() && names_.insert(name).second;
  }
  std::set<std::string> all() const {
    MutexLock lock(mutex_);
    return names_;
  }

 private:
  mutable Mutex mutex_;
  std::set<std::string> names_ GUARDED_BY(mutex_);
};

struct Route {
  Route(Settings with, Side from, Side to, const Clock& time)
      : settings(std::move(with)),
        source(std::move(from)),
        target(std::move(to)),
        clock(time),
        shared_(std::make_shared<Shared>(time, settings)),
        buffers(shared_->buffers),
        bandwidth(shared_->bandwidth) {}
  // The way back: the same memory and bandwidth, a state of its own.
  struct Back {};
  static constexpr Back kBack{};
  Route(const Route& forth, Back)
      : settings(back_settings(forth.settings)),
        source(forth.target),
        target(forth.source),
        clock(forth.clock),
        shared_(forth.shared_),
        buffers(shared_->buffers),
        bandwidth(shared_->bandwidth) {}

  const Settings settings;
  const Side source, target;
  const Clock& clock;

 private:
  struct Shared {
    Shared(const Clock& clock, const Settings& settings)
        : buffers(static_cast<size_t>(settings.buffer_bytes)), bandwidth(clock, settings.bandwidth_bytes_per_second) {}
    Buffers buffers;
    Bandwidth bandwidth;
  };
  static Settings back_settings(Settings settings);
  const std::shared_ptr<Shared> shared_;

 public:
  Buffers& buffers;
  Bandwidth& bandwidth;
  mutable Folding folding{target.bucket, settings.link};  // of the target; what it learns is no state of the route

  // Learnt from answers: a side whose ETags are no MD5 of the content (encryption with keys of its own).
  std::atomic<bool> source_etags_opaque{false}, target_etags_opaque{false};
  // Whether the target holds to preconditions; who relies on them finds out.
  std::atomic<bool> conditional_puts{false}, conditional_completes{false}, conditional_copies{false};
  std::atomic<bool> traits_known{false};
  std::atomic<uint64_t> set_aside{0};  // objects at the target from before the link, kept before they were replaced
  // The source unpacks on the way what was stored packed, unless it is told that we can.
  std::atomic<bool> source_unpacks{false};
  LackingClasses lacking_classes;  // of the target

  std::string at_source(const std::string& key) const { return source.prefix + key; }
  // Where all versions are carried, the one that was listed.
  ObjectName at_source(const Listed& object) const {
    return {at_source(object.key), settings.all_versions ? object.version_id : ""};
  }
  std::string at_target(const std::string& key) const { return target.prefix + key; }
};

// Reads an object of the source (its key below the link's prefix), or a part of it, at the link's bandwidth. kConflict:
// it has changed since it was listed as `etag`. kGone: it is no longer there. `size_bytes` is what is expected;
// anything else is an error.
Result<Head> read_source(Route& route, const ObjectName& object, const std::string& etag,
                         std::optional<ByteRange> range, Buffer& into, int64_t size_bytes, const std::stop_token& stop);
Result<Head> read_source(Route& route, const ObjectName& object, const std::string& etag,
                         std::optional<ByteRange> range, std::string& into, int64_t size_bytes,
                         const std::stop_token& stop);

// As read_source, handed on piece by piece instead of kept. Success also where `write` wanted no more: whoever gave it
// knows why.
Status pass_source(Route& route, const ObjectName& object, const std::string& etag, ByteRange range,
                   const std::function<bool(std::string_view)>& write, const std::stop_token& stop);

// Whether the source's listing names the object (of a version: that version). Not found is not gone: a server that lost
// data answers 404 to what it lists.
Result<bool> still_listed(const Side& side, const ObjectName& object, const std::stop_token& stop);

// What is written besides the bytes. `marker`: the source's ETag, where the copy has to name it.
Metadata carried(const Settings& settings, const Metadata& from, const std::string& marker);

// Leaves out marks of ours that a copy can do without where user metadata would exceed what S3 allows. What the source
// has alone is never cut.
void fit_metadata(Metadata& metadata);

// Source errors as transfers tell them: kNotFound becomes kGone.
Error at_source(const Error& error);

}  // namespace twinspan::s3
