"""What refusals teach about limits that a server does not declare."""
