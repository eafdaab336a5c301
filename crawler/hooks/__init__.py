"""What plugins may do: `plugin` is the page their authors read; `table` checks and orders them; `load` finds them."""
