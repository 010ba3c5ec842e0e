// The XML the stub writes.
#pragma once
#include <string>
#include <string_view>

namespace twinspan::s3_stub {

class Xml {
 public:
  explicit Xml(std::string_view root);
  Xml& open(std::string_view name);
  Xml& close(std::string_view name);
  Xml& field(std::string_view name, std::string_view value);  // escaped
  Xml& field(std::string_view name, int64_t value) { return field(name, std::to_string(value)); }
  std::string finish();

 private:
  std::string root_, text_;
};

std::string url_encoded(std::string_view key);  // as encoding-type=url has it: '/' stays, a space is '+'

}  // namespace twinspan::s3_stub
