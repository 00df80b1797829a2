//! Who calls: TokenReview of service-account tokens.
