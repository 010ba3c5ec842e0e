// A Cache whose objects stay packed until somebody looks at one: there may be thousands of them, and few are looked at
// in a minute.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "api/packed.hpp"
#include "controllers/cluster/cache.hpp"

namespace twinspan::controllers {

template <class T>
class Packed {
 public:
  explicit Packed(const T& value) : bytes_(std::string(std::string_view(api::pack(value)))) {}  // without spare room
  T open() const { return api::unpack<T>(bytes_); }

 private:
  std::string bytes_;
};

// As Cache<T>, but handlers and all() are given Packed<T>.
template <class T>
class PackedCache : public Cache<Packed<T>> {
 public:
  using Decode = typename kube::Informer<T>::Decode;

  PackedCache(kube::Client& client, const kube::Resource& resource, const std::vector<std::string>& namespaces,
              const kube::ReflectorOptions& options, const Decode& decode)
      : Cache<Packed<T>>(client, resource, namespaces, options, [decode](const Json& json) -> Result<Packed<T>> {
          const auto value = decode(json);
          if (!value) return std::unexpected(value.error());
          return Packed<T>(*value);
        }) {}

  std::shared_ptr<const T> find(const kube::Key& key) const {
    const auto packed = Cache<Packed<T>>::find(key);
    return packed ? std::make_shared<const T>(packed->open()) : nullptr;
  }
};

}  // namespace twinspan::controllers
