-- Any new value asks for a verification.
local os = require("os")
if obj.metadata.annotations == nil then obj.metadata.annotations = {} end
obj.metadata.annotations["twinspan.dev/verify"] = os.date("!%Y-%m-%dT%XZ")
return obj
