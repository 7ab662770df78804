"""Commands for those who work on Hullwatch; ``make help`` lists what calls them."""
