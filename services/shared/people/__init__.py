"""Facts about people that several services read: phone numbers, languages, push subscriptions."""
