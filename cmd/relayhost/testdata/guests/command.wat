;; A WASI command, no plugin, with an import whose name is meant for a terminal.
(module
  (import "env\0a" "a\1b[31m" (func))
  (memory (export "memory") 1)
  (func (export "_start")))
