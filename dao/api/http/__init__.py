"""HTTP beside the routes: middleware, problems, JSON types, caching, static files."""
