// Informers of one kind over the watched namespaces, read as one.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kube/informer.hpp"

namespace twinspan::controllers {

template <class T>
class Cache {
 public:
  using Value = std::shared_ptr<const T>;
  using Decode = typename kube::Informer<T>::Decode;
  using Handler = typename kube::Informer<T>::Handler;

  // `namespaces` empty: all of them, by one watch.
  Cache(kube::Client& client, const kube::Resource& resource, const std::vector<std::string>& namespaces,
        const kube::ReflectorOptions& options, const Decode& decode)
      : kind_(resource.kind) {
    const auto add = [&](const std::string& ns) {
      kube::ReflectorOptions own = options;
      own.ns = ns;
      informers_.emplace_back(ns, std::make_unique<kube::Informer<T>>(client, resource, std::move(own), decode));
    };
    for (const std::string& ns : namespaces) add(ns);
    if (namespaces.empty()) add("");
  }

  // Of a kind that is not looked at: always synced, and empty.
  explicit Cache(const kube::Resource& resource) : kind_(resource.kind) {}

  void add_handler(const Handler& handler) {
    for (auto& [ns, informer] : informers_) informer->add_handler(handler);
  }
  void start() {
    for (auto& [ns, informer] : informers_) informer->start();
  }
  void stop() {
    for (auto& [ns, informer] : informers_) informer->stop();
  }
  bool synced() const {
    return std::all_of(informers_.begin(), informers_.end(), [](const auto& one) { return one.second->synced(); });
  }
  Value find(const kube::Key& key) const {
    const kube::Informer<T>* informer = of(key.ns);
    return informer ? informer->find(key) : nullptr;
  }
  std::string_view kind() const { return kind_; }
  size_t size() const {
    size_t sum = 0;
    for (const auto& [ns, informer] : informers_) sum += informer->size();
    return sum;
  }
  std::vector<std::pair<kube::Key, Value>> all() const {
    std::vector<std::pair<kube::Key, Value>> out;
    for (const auto& [ns, informer] : informers_) {
      auto more = informer->all();
      out.insert(out.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    return out;
  }
  // Read-your-writes: see kube::Informer::wrote.
  void wrote(const std::string& ns, const Json& object) {
    if (kube::Informer<T>* informer = of(ns)) informer->wrote(object);
  }

 private:
  kube::Informer<T>* of(const std::string& ns) const {
    for (const auto& [own, informer] : informers_)
      if (own.empty() || own == ns) return informer.get();
    return nullptr;
  }

  const std::string_view kind_;
  std::vector<std::pair<std::string, std::unique_ptr<kube::Informer<T>>>> informers_;
};

}  // namespace twinspan::controllers
