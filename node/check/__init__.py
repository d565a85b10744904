"""What a site looks at before it stakes anything: its data by the task's schema, and the app on its data."""
