local actions = {}
local paused = obj.spec.paused == true
actions["pause"] = {disabled = paused}
actions["resume"] = {disabled = not paused}
actions["verify"] = {disabled = obj.spec.engine ~= "S3"}
return actions
