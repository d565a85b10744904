"""What an update may say of a site's data: clipped, noised and accounted for by the daemon, whatever the app does."""
