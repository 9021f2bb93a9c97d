"""models/dialects"""
